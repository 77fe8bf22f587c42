package release

import (
	"fmt"
	"regexp"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
)

// ModelVersion is the fact that holds the version of a model.
const ModelVersion = "model_version"

var validVersion = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)

// VersionAttrs are the attributes that decide which version is published.
func VersionAttrs() []stage.Attr {
	return []stage.Attr{
		{Name: "version", Type: cty.String, Doc: "The version to publish under. By default it is read from the model's facts."},
		{Name: "version_fact", Type: cty.String, Default: cty.StringVal(ModelVersion),
			Doc: "The fact of the model that holds its version, where `version` is not given."},
	}
}

// CheckVersion refuses a configured version that can't be the name of a directory.
func CheckVersion(explicit *string) error {
	if explicit != nil && !validVersion.MatchString(*explicit) {
		return stage.Attrf("version", "%q can't be a version: use letters, digits and . _ + -, starting with a letter or digit, 128 at most", *explicit)
	}
	return nil
}

// Version returns the configured version, or the one that the model's artifact says it has.
func Version(explicit *string, fact string, model stage.Input) (string, error) {
	if explicit != nil {
		return *explicit, nil
	}
	v := model.Artifact.Facts[fact]
	if v == "" {
		return "", fmt.Errorf("the input %q has no fact %q, so its version is not known: set version, or version_fact to the fact that holds it",
			model.Label, fact)
	}
	if !validVersion.MatchString(v) {
		return "", fmt.Errorf("the fact %q of the input %q is %q, which can't be a version: it must have letters, digits and . _ + - only", fact, model.Label, v)
	}
	return v, nil
}
