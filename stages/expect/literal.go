package expect

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// kind is what a column holds, as far as comparisons go.
type kind int

const (
	other kind = iota
	numeric
	text
	moment
	clock
	boolean
)

func kindOf(sqlType string) kind {
	if strings.HasSuffix(sqlType, "]") {
		return other // a list
	}
	switch base, _, _ := strings.Cut(sqlType, "("); base {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
		"FLOAT", "DOUBLE", "DECIMAL":
		return numeric
	case "VARCHAR", "UUID", "ENUM":
		return text
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATE":
		return moment
	case "TIME":
		return clock
	case "BOOLEAN":
		return boolean
	}
	return other
}

// asText is a column of texts as VARCHAR, and any other as it is.
func asText(c duck.Column, col string) string {
	if kindOf(c.Type) == text && c.Type != "VARCHAR" {
		return "CAST(" + col + " AS VARCHAR)"
	}
	return col
}

// literal renders a value of an expectation for comparison with a column. Numbers and moments are read and written anew,
// texts are quoted: nothing of a plan file is spliced into SQL as it stands.
func literal(v any, c duck.Column, k kind) (string, error) {
	switch v := v.(type) {
	case json.Number:
		if k == numeric {
			return numberLiteral(v, c)
		}
		return "", fmt.Errorf("the column %s is %s, and %s is a number", c.Name, c.Type, v)
	case string:
		return textLiteral(v, c, k)
	case bool:
		if k == boolean {
			return strings.ToUpper(fmt.Sprint(v)), nil
		}
		return "", fmt.Errorf("the column %s is %s, and %v is true or false", c.Name, c.Type, v)
	}
	return "", fmt.Errorf("%v can't be compared with the column %s", v, c.Name)
}

// numberLiteral renders a number as exactly as the column's type can hold it: a FLOAT column holds the FLOAT next to 0.1,
// which is greater than the DOUBLE next to it.
func numberLiteral(n json.Number, c duck.Column) (string, error) {
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return "", fmt.Errorf("%.20s is not a number that can be compared with", n)
	}
	const digits = 38 // of the greatest DECIMAL and HUGEINT
	i, whole := new(big.Int).SetString(n.String(), 10)
	switch base, _, _ := strings.Cut(c.Type, "("); {
	case base == "FLOAT":
		return "CAST(" + duck.Literal(n.String()) + " AS FLOAT)", nil
	case base == "DOUBLE":
	case whole && len(i.Text(10)) <= digits:
		return i.Text(10), nil
	case base == "DECIMAL" && len(n) <= digits && strings.Trim(n.String(), "-.0123456789") == "":
		return n.String(), nil
	}
	return "CAST(" + duck.Literal(n.String()) + " AS DOUBLE)", nil
}

func textLiteral(s string, c duck.Column, k kind) (string, error) {
	switch k {
	case text:
		if strings.ContainsRune(s, 0) {
			return "", fmt.Errorf("the text %q holds a zero byte", s)
		}
		return duck.Literal(s), nil
	case moment:
		t, err := check.ParseMoment(s)
		if err != nil {
			return "", fmt.Errorf("the column %s is %s: %w", c.Name, c.Type, err)
		}
		if c.Type == "TIMESTAMP_NS" || t.Nanosecond()%1000 != 0 {
			return "CAST(" + duck.Literal(t.Format("2006-01-02 15:04:05.999999999")) + " AS TIMESTAMP_NS)", nil
		}
		return "CAST(" + duck.Literal(t.Format("2006-01-02 15:04:05.999999")) + " AS TIMESTAMP)", nil
	case clock:
		for _, layout := range []string{"15:04:05", "15:04"} {
			if t, err := time.Parse(layout, s); err == nil {
				return "CAST(" + duck.Literal(t.Format("15:04:05.999999")) + " AS TIME)", nil
			}
		}
		return "", fmt.Errorf("the column %s is %s, and %q is no time of day: write it as 17:00:00", c.Name, c.Type, s)
	}
	return "", fmt.Errorf("the column %s is %s, and %q is a text", c.Name, c.Type, s)
}
