package state

import (
	"fmt"
	"time"
)

// String describes the holder in one line.
func (h Holder) String() string {
	return fmt.Sprintf("%s@%s (pid %d, %s, since %s, lock %s)", h.Name, h.Host, h.PID, h.Operation,
		h.Since.UTC().Format(time.RFC3339), h.ID)
}
