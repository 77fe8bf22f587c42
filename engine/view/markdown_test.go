package view

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	xhtml "html"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"pipe/engine/addr"
	"pipe/engine/config"
	"pipe/engine/digest"
	"pipe/engine/plan"
)

func rawText(s string) json.RawMessage {
	b, err := digest.Canonical(s)
	if err != nil {
		panic(err)
	}
	return b
}

// hostile is text that tries to leave the place it was put in.
var hostile = []string{"</details>", "`", "``` \n```\n", "@everyone", "a|b|c", "\n\n# Approved\n", "<img src=x onerror=alert(1)>", "-->", "<!--",
	"</code></summary><script>x()</script>", "[link](http://x.example)", "&lt;", "\r\n", "\u202egnp.exe", "\x00\x1b[2J", "~~~", "<!-- pipe-plan: a/b -->", "\xff\xfe",
	"    indented", "``", "`` ` ``", "$x$", "\\`", "#1", "</script>", "\u2028", "* * *", "> quote", " ```"}

// randomPlan is a plan of n changes with text that text makes.
func randomPlan(r *rand.Rand, n int, text func() string) *plan.Plan {
	p := planOf()
	p.Pipeline, p.Environment = text(), text()
	p.Variables = map[string]plan.Variable{"v": {Value: rawText(text())}, "s": {Sensitive: true}}
	actions := []plan.Action{plan.Create, plan.Update, plan.Update, plan.Recheck, plan.Move, plan.Delete}
	for b := 0; len(p.Changes) < n; b++ {
		kind := addr.Stage
		if r.IntN(8) == 0 {
			kind = addr.Publish
		}
		module := []string{"", "", "module.m", `module.m["k 1"].module.o`}[r.IntN(4)]
		at, instances, action := addr.New(kind, fmt.Sprintf("n%d", b)).In(module), 1, actions[r.IntN(len(actions))]
		if r.IntN(3) == 0 {
			instances = 1 + r.IntN(60)
		}
		why := plan.Reason{Code: plan.ConfigChanged, Path: text(), Before: rawText(text()), After: rawText(text())}
		for k := range min(instances, n-len(p.Changes)) {
			c := plan.Change{Address: at, Kind: kind, Type: text(), Action: action, Certainty: plan.Must, Reasons: []plan.Reason{why},
				Options: &config.Options{Description: text()}}
			if instances > 1 {
				c.Address, c.Type = at.Instance(fmt.Sprintf("%d %s", k, text())), "sql"
			}
			for range min(len(p.Changes), r.IntN(3)) {
				up := p.Changes[r.IntN(len(p.Changes))].Address
				c.After = append(c.After, up)
				c.Reasons = append(c.Reasons, plan.Reason{Code: plan.InputPending, Input: text(), Address: up})
			}
			p.Changes = append(p.Changes, c)
		}
	}
	return p
}

// listed returns the addresses of a page: whole ones, and blocks with keys in brackets.
func listed(page string) map[addr.Addr]bool {
	page = xhtml.UnescapeString(page)
	found := map[addr.Addr]bool{}
	one := regexp.MustCompile(`((?:module\.[A-Za-z0-9_-]+(?:\["(?:[^"\\]|\\.)*"\])?\.)*(?:stage|publish)\.()[A-Za-z0-9_-]+)(\[)?`)
	for _, at := range one.FindAllStringSubmatchIndex(page, -1) {
		block, err := addr.Parse(page[at[2]:at[3]])
		if err != nil {
			continue
		}
		if at[6] < 0 {
			found[block] = true
			addInstances(found, block, page[at[1]:])
			continue
		}
		rest := page[at[7]:]
		for {
			quoted, err := strconv.QuotedPrefix(strings.TrimLeft(rest, ", "))
			if err != nil {
				break
			}
			key, _ := strconv.Unquote(quoted)
			found[block.Instance(key)] = true
			rest = strings.TrimLeft(rest, ", ")[len(quoted):]
		}
	}
	return found
}

// addInstances reads the keys of a folded group.
func addInstances(found map[addr.Addr]bool, block addr.Addr, rest string) {
	details, _, _ := strings.Cut(rest, "\n</details>")
	if !strings.HasPrefix(rest, "</code> ×") {
		return
	}
	_, keys, ok := strings.Cut(details, "\n- instances: ")
	if !ok {
		return
	}
	keys = strings.TrimLeft(keys, "` ")
	for {
		quoted, err := strconv.QuotedPrefix(strings.TrimLeft(keys, ", "))
		if err != nil {
			return
		}
		key, _ := strconv.Unquote(quoted)
		found[block.Instance(key)] = true
		keys = strings.TrimLeft(keys, ", ")[len(quoted):]
	}
}

func checkPage(t *testing.T, p *plan.Plan, page string) {
	t.Helper()
	if len(page) > MaxMarkdown || !utf8.ValidString(page) {
		t.Fatalf("%d bytes, valid UTF-8: %v", len(page), utf8.ValidString(page))
	}
	if !strings.HasPrefix(page, "<!-- pipe-plan: ") || !strings.Contains(page, string(p.Digest())) {
		t.Fatalf("no marker or no identity:\n%.600s", page)
	}
	found, missing, total := listed(page), 0, 0
	for i := range p.Changes {
		c := &p.Changes[i]
		if d := dangerOf(c); d == deletes || d == publishes {
			total++
			if !found[c.Address] {
				missing++
			}
		}
	}
	loud := regexp.MustCompile(`does not list every delete and publish[^\n]*comment: ([0-9,]+) of them are NOT`).FindStringSubmatch(page)
	switch {
	case missing == 0 && loud != nil:
		t.Fatalf("all %d are listed, but the page says %q", total, loud[0])
	case missing > 0 && loud == nil:
		t.Fatalf("%d of %d deletes and publishes are missing, and the page does not say so", missing, total)
	case missing > 0 && loud[1] != Count(int64(missing)):
		t.Fatalf("%d of %d are missing, the page says %s", missing, total, loud[1])
	}
}

func TestMarkdownOfRandomPlansFits(t *testing.T) {
	plainText := func() string { return "some text" }
	for _, n := range []int{1, 2, 20, 300, 1000, 3000, 8000, 20000} {
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			p := randomPlan(r, n, plainText)
			var since *Since
			if seed > 0 {
				old := randomPlan(r, n, plainText)
				since = &Since{Old: old.Digest(), Comparison: plan.Compare(old, p)}
			}
			page := markdown(p, since, MaxMarkdown)
			checkPage(t, p, page)
			if n <= 20 && strings.Contains(page, "left out for space") {
				t.Errorf("%d changes: something is left out of %d bytes", n, len(page))
			}
			if n >= 3000 && len(page) < MaxMarkdown*3/4 {
				t.Errorf("%d changes: only %d bytes are used", n, len(page))
			}
		}
	}
}

// Each limit is one at which something else gives way: the page is within it or is at its least.
func TestMarkdownGivesWayInOrder(t *testing.T) {
	p := planOf()
	for i := range 30 {
		p.Changes = append(p.Changes, plan.Change{Address: addr.New(addr.Stage, "old").Instance(strconv.Itoa(i)), Kind: addr.Stage,
			Type: "sql", Action: plan.Delete, Certainty: plan.Must, Reasons: []plan.Reason{{Code: plan.Removed}}})
	}
	for i := range 200 {
		c := changeOf(fmt.Sprintf("n%03d", i), plan.Update, 0)
		c.Reasons = []plan.Reason{{Code: plan.ConfigChanged, Path: "query", Before: rawText("a"), After: rawText(fmt.Sprintf("b%d", i))}}
		p.Changes = append(p.Changes, c)
	}
	for limit := 2500; limit < 40000; limit += 250 {
		page := markdown(p, nil, limit)
		if len(page) > limit {
			t.Fatalf("%d bytes with a limit of %d", len(page), limit)
		}
		checkPage(t, p, page)
		mentioned := strings.Count(page, "- `stage.n")
		left := 0
		if m := regexp.MustCompile(`… and ([0-9]+) more change`).FindStringSubmatch(page); m != nil {
			left, _ = strconv.Atoi(m[1])
		}
		if mentioned+left != 200 {
			t.Fatalf("limit %d: %d are mentioned and %d are left out, of 200", limit, mentioned, left)
		}
	}
	if page := markdown(p, nil, 40000); strings.Count(page, "`query: ") != 200 {
		t.Errorf("there is room for all reasons, but only %d are shown", strings.Count(page, "`query: "))
	}
}

func TestMarkdownThatCannotListAllSaysSoFirst(t *testing.T) {
	p := planOf()
	for i := range 9000 {
		c := changeOf("x", plan.Delete, 0)
		c.Address = c.Address.Instance(fmt.Sprintf("instance-%05d", i))
		p.Changes = append(p.Changes, c)
	}
	page := markdown(p, nil, MaxMarkdown)
	checkPage(t, p, page)
	lines := strings.Split(page, "\n")
	if !strings.Contains(lines[3], "> [!CAUTION]") && !strings.Contains(lines[4], "[!CAUTION]") {
		t.Errorf("the warning is not at the top:\n%.900s", page)
	}
}

func TestBlastRadius(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := randomPlan(r, 150, func() string { return "x" })
		down := map[addr.Addr][]addr.Addr{}
		for _, c := range p.Changes {
			for _, a := range c.After {
				if c.Action == plan.Delete {
					down[c.Address] = append(down[c.Address], a)
				} else {
					down[a] = append(down[a], c.Address)
				}
			}
		}
		acyclic := true
		reach := func(from addr.Addr) int {
			seen, todo := map[addr.Addr]bool{}, []addr.Addr{from}
			for len(todo) > 0 {
				at := todo[len(todo)-1]
				todo = todo[:len(todo)-1]
				for _, d := range down[at] {
					acyclic = acyclic && d != from
					if !seen[d] {
						seen[d] = true
						todo = append(todo, d)
					}
				}
			}
			return len(seen)
		}
		want := make([]int, len(p.Changes))
		for i, c := range p.Changes {
			want[i] = reach(c.Address)
		}
		if !acyclic {
			continue
		}
		for i, n := range blastRadius(p) {
			if n != want[i] {
				t.Fatalf("seed %d: %s has %d downstream, want %d", seed, p.Changes[i].Address, n, want[i])
			}
		}
	}
}

// skeleton renders a page as GitHub's Markdown with raw HTML and returns its elements, and the text outside of code.
func skeleton(t *testing.T, page string) (elements, prose string) {
	t.Helper()
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe(), html.WithXHTML()))
	var out bytes.Buffer
	if err := md.Convert([]byte(page), &out); err != nil {
		t.Fatal(err)
	}
	dec := xml.NewDecoder(&out)
	dec.Entity = xml.HTMLEntity
	var tags, text strings.Builder
	inCode := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return tags.String(), text.String()
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, page)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			fmt.Fprintf(&tags, "<%s>", tok.Name.Local)
			if tok.Name.Local == "code" {
				inCode++
			}
		case xml.EndElement:
			fmt.Fprintf(&tags, "</%s>", tok.Name.Local)
			if tok.Name.Local == "code" {
				inCode--
			}
		case xml.CharData:
			if inCode == 0 {
				text.Write(tok)
			}
		case xml.Comment:
			fmt.Fprintf(&tags, "<!---->")
		}
	}
}

// harmless takes what means something to Markdown out of text, and keeps its lines and its length.
func harmless(r rune) rune {
	if r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
		return 'x'
	}
	return r
}

// checkContained compares the page of a plan with hostile text to that of the same plan with harmless text: same elements,
// same prose.
func checkContained(t *testing.T, seed uint64, n int, bad func(i int) string) {
	t.Helper()
	build := func(text func(i int) string) string {
		i := 0
		p := randomPlan(rand.New(rand.NewPCG(seed, 11)), n, func() string { i++; return text(i) })
		old := randomPlan(rand.New(rand.NewPCG(seed, 12)), n, func() string { i++; return text(i) })
		p.Settings = config.Settings{}
		return markdown(p, &Since{Old: "sha256:0", Comparison: plan.Compare(old, p)}, MaxMarkdown)
	}
	page := build(bad)
	wantTags, wantProse := skeleton(t, build(func(i int) string { return strings.Map(harmless, bad(i)) }))
	tags, prose := skeleton(t, page)
	space := regexp.MustCompile(`\s+`)
	if tags != wantTags {
		t.Fatalf("the elements differ:\n%s\nwant\n%s\npage\n%s", tags, wantTags, page)
	}
	if a, b := space.ReplaceAllString(prose, " "), space.ReplaceAllString(wantProse, " "); a != b {
		t.Fatalf("the prose differs:\n%s\nwant\n%s", a, b)
	}
	if strings.Count(page, "<!--") < 1 || strings.Index(page, "\n") < strings.Index(page, "-->") {
		t.Fatalf("the marker is broken: %q", page[:200])
	}
}

func TestMarkdownContainsHostileText(t *testing.T) {
	for k, h := range hostile {
		t.Run(strconv.Itoa(k), func(t *testing.T) {
			checkContained(t, uint64(k), 12, func(i int) string { return h + "x" + strconv.Itoa(i) })
			checkContained(t, uint64(k), 12, func(i int) string { return strconv.Itoa(i) + h })
		})
	}
}

func FuzzMarkdownContainsText(f *testing.F) {
	for _, h := range hostile {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 200 || strings.HasPrefix(s, "sha256:") {
			return
		}
		checkContained(t, 1, 10, func(i int) string { return fmt.Sprintf("%d%s%d", i, s, i) })
	})
}

func TestMarkdownNeverShowsSensitiveValues(t *testing.T) {
	old, now := planOf(changeOf("a", plan.Update, 0)), planOf(changeOf("a", plan.Update, 0))
	old.Variables = map[string]plan.Variable{"token": {Value: rawText("public")}}
	now.Variables = map[string]plan.Variable{"token": {Sensitive: true, Value: rawText("hunter2")}} // which no plan of pipe has
	page := markdown(now, &Since{Old: old.Digest(), Comparison: plan.Compare(old, now)}, MaxMarkdown)
	if strings.Contains(page, "hunter2") || !strings.Contains(page, "(sensitive)") {
		t.Errorf("got\n%s", page)
	}
}
