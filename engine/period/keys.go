package period

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// most is how many single keys or runs are spelled out.
const most = 8

// Keys says in few words which keys there are: periods as ranges (2024-01..2026-10 except 2024-03), keys that differ
// before or after the period once for all ({EURUSD, GBPUSD}/2024-01..2026-10), others one by one.
func Keys(keys []string) string {
	type bucket struct {
		place   Place
		periods []Period
	}
	var single []string
	var buckets []*bucket
	by := map[[3]string]*bucket{}
	for _, k := range keys {
		p, ok := Find(k)
		if !ok {
			single = append(single, k)
			continue
		}
		id := [3]string{p.Prefix, p.Suffix, string(p.unit)}
		b := by[id]
		if b == nil {
			b = &bucket{place: p}
			by[id] = b
			buckets = append(buckets, b)
		}
		b.periods = append(b.periods, p.Period)
	}
	var parts []string
	places := map[string][]Place{}
	for _, b := range buckets {
		text := ranges(b.periods)
		if places[text] == nil {
			parts = append(parts, text)
		}
		places[text] = append(places[text], b.place)
	}
	for i, text := range parts {
		parts[i] = around(places[text], text)
	}
	sort.Strings(single)
	parts = append(parts, single...)
	return listed(parts)
}

// listed joins a list; of a long one it says how much more there is.
func listed(list []string) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:most-1], ", ") + fmt.Sprintf(" and %d more", len(list)-most+1)
}

// around puts what stands before and after the periods of keys around the text for the periods.
func around(places []Place, text string) string {
	if len(places) == 1 {
		return places[0].Prefix + text + places[0].Suffix
	}
	var names []string
	sep := ""
	for i, p := range places {
		name := strings.TrimRight(p.Prefix, "/-_:. ")
		rest := p.Prefix[len(name):]
		if i > 0 && rest != sep || p.Suffix != "" || name == "" {
			return each(places, text)
		}
		sep = rest
		names = append(names, name)
	}
	sort.Strings(names)
	return "{" + listed(names) + "}" + sep + text
}

func each(places []Place, text string) string {
	var list []string
	for _, p := range places {
		list = append(list, p.Prefix+text+p.Suffix)
	}
	sort.Strings(list)
	return listed(list)
}

// ranges spells periods of one unit as ranges, or as one range with exceptions where that is shorter.
func ranges(list []Period) string {
	slices.SortFunc(list, Period.Compare)
	list = slices.Compact(list)
	first, last := list[0], list[len(list)-1]
	var runs []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1].Since(list[j]) == 1 {
			j++
		}
		switch j - i {
		case 0:
			runs = append(runs, list[i].String())
		case 1:
			runs = append(runs, list[i].String(), list[j].String())
		default:
			runs = append(runs, list[i].String()+".."+list[j].String())
		}
		i = j + 1
	}
	missing := last.Since(first) + 1 - len(list)
	if missing > 0 && missing <= most && missing < len(list) && missing <= len(runs) {
		return first.String() + ".." + last.String() + " except " + strings.Join(gaps(list), ", ")
	}
	return listed(runs)
}

// gaps lists the periods between the first and the last that are not in the list.
func gaps(list []Period) []string {
	var gone []string
	for i := 1; i < len(list); i++ {
		for p := list[i-1].Add(1); p.Compare(list[i]) < 0; p = p.Add(1) {
			gone = append(gone, p.String())
		}
	}
	return gone
}
