// Package files publishes artifacts as a directory of plain files, one for each version:
//
//	publish "files" "models" {
//	  model = stage.model
//	  extra = { backtest = stage.backtest }
//	  root  = local.storage.models_root
//	}
//
// writes storage/models/<model_version>/ with the model's files, the backtest's below backtest/, SHA256SUMS, which
// `sha256sum -c` checks, and checksums.json, which says the same with a block of metadata. A version appears whole or
// not at all: it is written beside, synced, and renamed. A version that exists with other content is refused; versions
// are never replaced, and older ones are kept.
//
// The package refuses to know what the files mean.
package files
