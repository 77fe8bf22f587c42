package filestate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/state"
)

const sumLen = len("sha256:") + 2*sha256.Size

// errNewer says that a later version of pipe wrote the state.
var errNewer = errors.New("it was written by a newer version of pipe: use that version")

// sum returns the checksum of a state file, given what follows the line of the checksum.
func sum(rest []byte) digest.Digest {
	h := sha256.New()
	h.Write([]byte(open))
	h.Write(rest)
	return digest.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// Decode reads the content of a state file and refuses one whose checksum is not right.
func Decode(raw []byte) (*state.Snapshot, error) {
	head := len(checkStart) + sumLen + len(checkEnd)
	if len(raw) < head || !bytes.HasPrefix(raw, []byte(checkStart)) {
		return nil, errors.New("it does not begin with its checksum: it was edited by hand, merged or cut short")
	}
	if sum(raw[head:]) != digest.Digest(raw[len(checkStart):][:sumLen]) {
		return nil, errors.New("its content does not have its checksum: it was edited by hand, merged or cut short")
	}
	s, err := parse(raw)
	if err != nil {
		var version struct {
			FormatVersion int `json:"format_version"`
		}
		if json.Unmarshal(raw, &version) == nil && version.FormatVersion > state.FormatVersion {
			return nil, errNewer
		}
		return nil, err
	}
	if s.FormatVersion > state.FormatVersion {
		return nil, errNewer
	}
	return s, nil
}

// parse reads the JSON of a snapshot and checks that it can be used.
func parse(raw []byte) (*state.Snapshot, error) {
	s, ok, err := parseLaidOut(raw)
	if !ok {
		s = &state.Snapshot{}
		err = json.Unmarshal(raw, s)
	}
	if err != nil {
		return nil, fmt.Errorf("it is not the JSON of a state: %w", err)
	}
	if s.Entries == nil {
		s.Entries = map[addr.Addr]*state.Entry{}
	}
	if s.Failures == nil {
		s.Failures = map[addr.Addr]*state.Failure{}
	}
	for a, e := range s.Entries {
		if e == nil || e.Address != a {
			return nil, fmt.Errorf("its entry %s is of another address", a)
		}
	}
	for a, f := range s.Failures {
		if f == nil || f.Address != a {
			return nil, fmt.Errorf("its failure %s is of another address", a)
		}
	}
	return s, nil
}

// parseLaidOut reads a state in the layout of Encode, many entries at the same time: every plan begins with it. It is
// not ok if the layout is another one.
func parseLaidOut(raw []byte) (s *state.Snapshot, ok bool, err error) {
	at := bytes.Index(raw, []byte(entriesAt+entryAt))
	if at < 0 {
		return nil, false, nil
	}
	body := raw[at+len(entriesAt):]
	end := bytes.Index(body, []byte(entriesEnd+",\n"))
	if last := bytes.Index(body, []byte(entriesEnd+"\n}")); end < 0 || last >= 0 && last < end {
		end = last
	}
	if end < 0 {
		return nil, false, nil
	}
	keys, blocks, ok := split(body[:end])
	if !ok {
		return nil, false, nil
	}
	s = &state.Snapshot{}
	head := append(append(bytes.Clone(raw[:at]), noEntries...), body[end+len(entriesEnd):]...)
	if err := json.Unmarshal(head, s); err != nil {
		return nil, true, err
	}
	addrs, entries := make([]addr.Addr, len(keys)), make([]*state.Entry, len(keys))
	err = chunks(len(keys), func(from, to int) error {
		for i := from; i < to; i++ {
			if err := json.Unmarshal(keys[i], &addrs[i]); err != nil {
				return err
			}
			if err := json.Unmarshal(blocks[i], &entries[i]); err != nil {
				return fmt.Errorf("entry %s: %w", addrs[i], err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, true, err
	}
	s.Entries = make(map[addr.Addr]*state.Entry, len(keys))
	for i, a := range addrs {
		s.Entries[a] = entries[i]
	}
	return s, true, nil
}

// split finds the keys and values of the entries.
func split(body []byte) (keys, blocks [][]byte, ok bool) {
	for len(body) > 0 {
		mid := bytes.Index(body, []byte(entryMid))
		end := bytes.Index(body, []byte(entryEnd))
		if !bytes.HasPrefix(body, []byte(entryAt)) || mid < 0 || end < mid {
			return nil, nil, false
		}
		after := end + len(entryEnd)
		keys = append(keys, body[len(entryAt)-1:mid+1])
		blocks = append(blocks, body[mid+len(entryMid)-2:after])
		body = body[after:]
		if len(body) > 0 {
			if body[0] != ',' {
				return nil, nil, false
			}
			body = body[1:]
		}
	}
	return keys, blocks, true
}
