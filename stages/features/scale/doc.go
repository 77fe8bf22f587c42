// Package scale holds the robust scaler: (x - median) / scale, clipped.
//
// It refuses to know which rows it may be fitted on; that is the duty of the caller, who must pass training rows only.
package scale
