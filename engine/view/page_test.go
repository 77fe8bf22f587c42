package view

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/config"
	"pipe/engine/digest"
	"pipe/engine/plan"
)

// pipelineOf is a plan like those of users: months of data through steps that are instances of blocks, then reports.
func pipelineOf(months int) *plan.Plan {
	p := planOf()
	p.Pipeline = "fx_daily"
	p.Variables = map[string]plan.Variable{"month": {Value: rawText("2025-01")}, "token": {Sensitive: true}}
	add := func(at addr.Addr, typ string, action plan.Action, inputs ...addr.Addr) *plan.Change {
		c := plan.Change{Address: at, Kind: at.Kind, Type: typ, Action: action, Certainty: plan.Must}
		for _, in := range inputs {
			c.Inputs = append(c.Inputs, plan.Input{Label: in.Name, Address: in})
			c.Reasons = append(c.Reasons, plan.Reason{Code: plan.InputPending, Input: in.Name, Address: in})
			c.Certainty = plan.May
			c.After = append(c.After, in)
		}
		p.Changes = append(p.Changes, c)
		return &p.Changes[len(p.Changes)-1]
	}
	some := digest.Bytes([]byte("raw"))
	var features []addr.Addr
	for m := range months {
		key := fmt.Sprintf("%04d-%02d", 1900+m/12, m%12+1)
		var last addr.Addr
		for k, step := range []string{"load", "clean", "bars", "features"} {
			at := addr.New(addr.Stage, step).Instance(key)
			var c *plan.Change
			if k == 0 {
				c = add(at, "sql", plan.Update)
				c.Inputs = []plan.Input{{Label: "raw", Address: addr.New(addr.Input, "raw").Instance(key), Digest: some}}
				c.Reasons = []plan.Reason{{Code: plan.ConfigChanged, Path: "query", Before: rawText("select *\nfrom bars\nwhere close > 0"),
					After: rawText("select *\nfrom bars\nwhere close > 0.5")}}
			} else {
				c = add(at, "sql", plan.Update, last)
			}
			c.Estimate = &plan.Estimate{SecondsP50: 4.1, SecondsP90: 5, Runs: 12}
			c.Expectations = []check.Expectation{{Type: "column_values_to_not_be_null", Args: json.RawMessage(`{"column":"close"}`), Severity: check.Error}}
			c.Options = &config.Options{Description: "Bars of one month.", Retry: config.Retry{Attempts: 3}}
			last = at
		}
		features = append(features, last)
	}
	for k := 0; k < len(features); k += 12 {
		year := addr.New(addr.Stage, "model").Instance(strconv.Itoa(1900 + k/12))
		add(year, "train", plan.Update, features[k:min(k+12, len(features))]...)
		test := addr.New(addr.Stage, "backtest").Instance(year.Key)
		add(test, "backtest", plan.Create, year)
		add(addr.New(addr.Publish, "registry").Instance(year.Key), "model_registry", plan.Create, year, test).Certainty = plan.Gated
	}
	add(addr.New(addr.Stage, "report"), "exec", plan.Recheck).Inputs = []plan.Input{{Label: "b", Address: addr.New(addr.Stage, "daily")}}
	add(addr.New(addr.Stage, "renamed"), "sql", plan.Move)
	old := add(addr.New(addr.Stage, "legacy"), "sql", plan.Delete)
	old.Reasons, old.After = []plan.Reason{{Code: plan.Removed}}, []addr.Addr{addr.New(addr.Publish, "legacy")}
	add(addr.New(addr.Publish, "legacy"), "table", plan.Delete).Reasons = []plan.Reason{{Code: plan.Removed}}
	for _, c := range p.Changes {
		switch c.Action {
		case plan.Create:
			p.Summary.Create++
		case plan.Update:
			p.Summary.Update++
		case plan.Recheck:
			p.Summary.Recheck++
		case plan.Delete:
			p.Summary.Delete++
		case plan.Move:
			p.Summary.Move++
		}
	}
	return p
}

func pageOf(t testing.TB, p *plan.Plan, since *Since) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Page(&out, p, nil, since); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// dataOf reads the data of a page as a browser does: up to the first end tag of a script.
func dataOf(t testing.TB, page []byte) pageData {
	t.Helper()
	_, rest, _ := bytes.Cut(page, []byte(`<script type="application/json" id="data">`))
	raw, _, _ := bytes.Cut(rest, []byte("</script"))
	var d pageData
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPageHoldsEveryChangeOnce(t *testing.T) {
	p := pipelineOf(30)
	d := dataOf(t, pageOf(t, p, nil))
	seen := map[string]int{}
	for _, s := range d.Sections {
		count := 0
		for _, g := range s.Groups {
			for _, i := range g.Nodes {
				seen[d.Nodes[i].Address]++
				count++
			}
		}
		if count != s.Total {
			t.Errorf("%s: %d listed, %d said", s.Title, count, s.Total)
		}
	}
	for _, c := range p.Changes {
		if seen[c.Address.String()] != 1 {
			t.Errorf("%s is listed %d times", c.Address, seen[c.Address.String()])
		}
	}
	if got := d.Sections[0].Title + d.Sections[1].Title; got != "DeletesPublishes" {
		t.Errorf("the first sections are %s", got)
	}
	joined := map[string]bool{}
	for k := 0; k < len(d.Edges); k += 3 {
		joined[d.Nodes[d.Edges[k]].Address+" "+d.Nodes[d.Edges[k+1]].Address] = true
	}
	for _, c := range p.Changes {
		for _, in := range c.Inputs {
			if !joined[in.Address.String()+" "+c.Address.String()] {
				t.Errorf("no edge from %s to %s", in.Address, c.Address)
			}
		}
	}
}

// TestLayout: nodes do not overlap, and every node is right of all that it rests on.
func TestLayout(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 5))
		up := make([][]int, 1+r.IntN(400))
		for i := range up {
			for range min(i, r.IntN(4)) {
				if u := r.IntN(i); !slices.Contains(up[i], u) {
					up[i] = append(up[i], u)
				}
			}
		}
		at := arrange(up)
		for i := range up {
			for _, u := range up[i] {
				if at[u].x >= at[i].x {
					t.Fatalf("seed %d: %d at %v is not right of %d at %v", seed, i, at[i], u, at[u])
				}
			}
			for j := range i {
				if abs(at[i].x-at[j].x) < nodeWidth && abs(at[i].y-at[j].y) < nodeHeight {
					t.Fatalf("seed %d: %d at %v and %d at %v overlap", seed, i, at[i], j, at[j])
				}
			}
		}
		if !slices.Equal(at, arrange(up)) {
			t.Fatalf("seed %d: another time, another picture", seed)
		}
	}
	arrange([][]int{{1}, {0}, {0}}) // a cycle, which no plan has: it ends
}

func abs(n int) int { return max(n, -n) }

// TestPageIsOneFile: nothing is fetched, no text from the plan is markup, and the policy names what is inline.
func TestPageIsOneFile(t *testing.T) {
	i := 0
	p := randomPlan(rand.New(rand.NewPCG(1, 1)), 60, func() string { i++; return hostile[i%len(hostile)] + strconv.Itoa(i) })
	page := pageOf(t, p, &Since{Old: p.Digest(), Comparison: plan.Compare(planOf(), p)})
	if n := bytes.Count(page, []byte("<script")); n != 2 {
		t.Errorf("%d scripts", n)
	}
	for _, bad := range []string{"<img", "</details>", "\u2028", "<!-- pipe", "<script src", "<link", "@import", "url("} {
		if i := bytes.Index(page, []byte(bad)); i >= 0 {
			t.Errorf("%q is in the page: %s", bad, page[max(0, i-60):i+60])
		}
	}
	if !bytes.Contains(page, []byte("default-src 'none'")) || !bytes.Contains(page, []byte(sourceHash(pageJS))) || bytes.Contains(page, []byte("unsafe")) {
		t.Error("the policy is not strict")
	}
	if d := dataOf(t, page); len(d.Nodes) < 60 || d.Pipeline != strings.ToValidUTF8(p.Pipeline, "\ufffd") {
		t.Errorf("the data do not survive: %d nodes, pipeline %q", len(d.Nodes), d.Pipeline)
	}
}

// chromium opens a page in the real browser, waits until it is drawn and returns the document. Extra arguments come
// before the address.
func chromium(t *testing.T, page []byte, fragment string, extra ...string) (document string, ready int, whole time.Duration) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not in PATH: the page is not opened in a browser")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		t.Fatal(err)
	}
	address := "file://" + file
	if fragment != "" {
		address += "#" + url.PathEscape(fragment)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--window-size=1280,800", "--dump-dom"}, extra...)
	cmd := exec.CommandContext(ctx, path, append(args, address)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = 5 * time.Second
	start := time.Now()
	out, err := cmd.Output()
	whole = time.Since(start)
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, stderr.String())
	}
	m := regexp.MustCompile(`^[^>]*<html[^>]* data-ready="(\d+)"`).FindSubmatch(bytes.TrimPrefix(out, []byte("<!DOCTYPE html>")))
	if m == nil {
		t.Fatalf("the page was not drawn:\n%.2000s\n%s", out, stderr.String())
	}
	ready, _ = strconv.Atoi(string(m[1]))
	_, body, _ := strings.Cut(string(out), "<body")
	body, _, _ = strings.Cut(body, `<script type="application/json"`)
	return body, ready, whole
}

// TestPageInChromium opens pages in a browser: what is listed, what a selected node says, and that text stays text.
func TestPageInChromium(t *testing.T) {
	body, _, _ := chromium(t, pageOf(t, pipelineOf(13), nil), `stage.load["1900-01"]`)
	for _, want := range []string{">Deletes ", ">stage.legacy<", ">Publishes ", "where close &gt; 0.5</pre>", "column_values_to_not_be_null(close)<",
		"Half of 12 runs took at most 4.1 s", `input.raw["1900-01"]`, "Bars of one month.", "(sensitive)", `stage.clean["1900-01"]`} {
		if !strings.Contains(body, want) {
			t.Errorf("the document lacks %q", want)
		}
	}
	i := 0
	p := randomPlan(rand.New(rand.NewPCG(1, 1)), 60, func() string { i++; return hostile[i%len(hostile)] + strconv.Itoa(i) })
	body, _, _ = chromium(t, pageOf(t, p, &Since{Old: p.Digest(), Comparison: plan.Compare(planOf(), p)}), p.Changes[0].Address.String())
	for _, bad := range []string{"<img", "<script", "<h1>Approved", "<a "} {
		if strings.Contains(body, bad) {
			t.Errorf("text became markup: %q", bad)
		}
	}
}

// TestLargePageInChromium opens a plan of 10,000 nodes. The time is reported, not judged: machines differ.
func TestLargePageInChromium(t *testing.T) {
	p := pipelineOf(2300)
	start := time.Now()
	page := pageOf(t, p, nil)
	made := time.Since(start)
	if keep := os.Getenv("KEEP_PAGE"); keep != "" {
		os.WriteFile(keep, page, 0o600)
		os.WriteFile(keep+".small.html", pageOf(t, pipelineOf(5), nil), 0o600)
		os.WriteFile(keep+".mid.html", pageOf(t, pipelineOf(40), &Since{Old: p.Digest(), Comparison: plan.Compare(pipelineOf(39), pipelineOf(40))}), 0o600)
	}
	nodes := len(dataOf(t, page).Nodes)
	_, ready, whole := chromium(t, page, "")
	t.Logf("%d nodes, %s: made in %v, drawn %d ms after the browser began to open it, %v with the start and end of the browser",
		nodes, Bytes(int64(len(page))), made.Round(time.Millisecond), ready, whole.Round(time.Millisecond))
	if nodes < 10000 {
		t.Errorf("only %d nodes", nodes)
	}
}
