package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"pipe/engine/fault"
	"pipe/stages/internal/testservices"
)

// binary builds pipe once for all tests of this package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pipe-binary-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pipe")
	out, err := exec.Command("go", "build", "-o", path, "pipe").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// project is a copy of what a user starts from, in a directory of its own.
type project struct {
	t   *testing.T
	dir string
	env []string
}

func newProject(t *testing.T) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir()}
	for _, part := range []string{"plans", "configs", "samples/data"} {
		if err := os.CopyFS(filepath.Join(p.dir, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// result is how a process ended.
type result struct {
	stdout, stderr string
	code           int
	killed         bool
}

func (p *project) run(args ...string) result {
	p.t.Helper()
	bin, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir = p.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir}, p.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			r.killed = ws.Signal() == syscall.SIGKILL
		}
	case err != nil:
		p.t.Fatal(err)
	}
	return r
}

// must runs a command that ends with the code.
func (p *project) must(code int, args ...string) result {
	p.t.Helper()
	r := p.run(args...)
	if r.code != code || r.killed {
		p.t.Fatalf("pipe %s: exit code %d, want %d\n%s\n%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

func (p *project) edit(file, old, repl string) {
	p.t.Helper()
	name := filepath.Join(p.dir, file)
	b, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(b), old) {
		p.t.Fatalf("%s does not hold %q (%v)", file, old, err)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(b), old, repl)), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// plan returns the proposed changes as data.
func (p *project) plan(args ...string) planned {
	p.t.Helper()
	r := p.must(0, append([]string{"plan", "plans/sample", "--format", "json"}, args...)...)
	var out planned
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		p.t.Fatalf("%v: %s", err, r.stdout)
	}
	sum := sha256.Sum256([]byte(r.stdout))
	out.Digest = hex.EncodeToString(sum[:])
	return out
}

type planned struct {
	Digest  string `json:"-"`
	Changes []struct {
		Address   string
		Action    string
		Certainty string
		Cached    bool
	}
	Summary map[string]int
}

func (p planned) actions() string {
	var parts []string
	for _, c := range p.Changes {
		parts = append(parts, c.Action+" "+c.Address)
	}
	return strings.Join(parts, "\n")
}

// files lists the regular files below a directory with the digests of their content.
func (p *project) files(dir string) map[string]string {
	p.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(filepath.Join(p.dir, dir), func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(filepath.Join(p.dir, dir), name)
		sum := sha256.Sum256(b)
		found[filepath.ToSlash(rel)] = hex.EncodeToString(sum[:])
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// difference names the files that one listing has otherwise than the other.
func difference(a, b map[string]string) []string {
	var names []string
	for name := range a {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// version returns the one version below models_root.
func (p *project) version() string {
	p.t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.dir, "storage/models"))
	if err != nil || len(entries) != 1 {
		p.t.Fatalf("versions: %v, %v", entries, err)
	}
	return entries[0].Name()
}

func (p *project) registry(query string) string {
	p.t.Helper()
	var paths []string
	for f := range p.files("storage") {
		if strings.HasSuffix(f, "core.db") {
			paths = append(paths, f)
		}
	}
	if len(paths) != 1 {
		p.t.Fatalf("registries: %v", paths)
	}
	core := filepath.Join(p.dir, "storage", paths[0])
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for name, path := range map[string]string{"core": core, "audit": filepath.Join(filepath.Dir(core), "audit.db")} {
		if _, err := db.Exec("attach database ? as "+name, path); err != nil {
			p.t.Fatal(err)
		}
	}
	var out sql.NullString
	if err := db.QueryRow(query).Scan(&out); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return out.String
}

var versionPattern = regexp.MustCompile(`^\d{8}_\d{4}-[0-9a-f]{8}$`)

// TestRunbook is the old runbook's list of checks, on the embedded default.
func TestRunbook(t *testing.T) {
	p := newProject(t)
	p.must(0, "apply", "plans/sample", "--auto-approve")
	version := p.version()
	if !versionPattern.MatchString(version) {
		t.Errorf("version %q", version)
	}
	checkSums(t, p, version)
	records := p.wormRecords()
	if len(records) != 1 {
		t.Fatalf("WORM records: %v", records)
	}
	if info, err := os.Stat(records[0]); err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("WORM record: %v %v", info, err)
	}
	if got := p.registry("select group_concat(model_version) from core.model_registry where status = 'deployed'"); got != version {
		t.Errorf("deployed: %q, want %q", got, version)
	}
	if got := p.registry("select group_concat(to_status) from audit.model_registry_events"); !strings.Contains(got, "deployed") {
		t.Errorf("events: %q", got)
	}
	p.must(0, "audit", "verify", "plans/sample")
	before, state := p.files("storage"), p.files(".pipe/state")
	if r := p.must(0, "apply", "plans/sample", "--auto-approve"); !strings.Contains(r.stdout, "No changes") {
		t.Errorf("second apply: %s", r.stdout)
	}
	for dir, had := range map[string]map[string]string{"storage": before, ".pipe/state": state} {
		if changed := difference(had, p.files(dir)); len(changed) > 0 {
			t.Errorf("a second apply changed %s: %v", dir, changed)
		}
	}
	p.must(0, "destroy", "plans/sample", "--auto-approve")
	for f := range p.files("storage") {
		if !strings.HasPrefix(f, "worm/") {
			t.Errorf("destroy left storage/%s", f)
		}
	}
	if len(p.wormRecords()) != 1 {
		t.Errorf("destroy did not leave the WORM record")
	}
	p.must(0, "audit", "verify", "plans/sample")
}

// checkSums compares checksums.json with the files, and lets sha256sum do the same.
func checkSums(t *testing.T, p *project, version string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(p.dir, "storage/models", version, "checksums.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sums struct {
		Files map[string]string
	}
	if err := json.Unmarshal(raw, &sums); err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	have := p.files("storage/models/" + version)
	for _, name := range []string{"model_ai1.json", "model_ai2.json", "feature_schema.json", "params.yaml", "metrics.json", "model_card.md"} {
		if sums.Files[name] == "" {
			t.Errorf("checksums.json does not name %s", name)
		}
	}
	for name, sum := range sums.Files {
		if have[name] != sum {
			t.Errorf("%s: checksums.json says %s, the file has %s", name, sum, have[name])
		}
		fmt.Fprintf(&list, "%s  %s\n", sum, name)
	}
	cmd := exec.Command("sha256sum", "-c", "-")
	cmd.Dir, cmd.Stdin = filepath.Join(p.dir, "storage/models", version), strings.NewReader(list.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

func (p *project) wormRecords() []string {
	records, err := filepath.Glob(filepath.Join(p.dir, "storage/worm/model_publish/*/*/model_publish_*.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	return records
}

// TestTwoClones applies in two places.
func TestTwoClones(t *testing.T) {
	a, b := newProject(t), newProject(t)
	pa, pb := a.plan(), b.plan()
	if pa.Digest != pb.Digest || pa.Summary["create"] == 0 {
		t.Errorf("two plans: %s %s", pa.Digest, pb.Digest)
	}
	a.must(0, "apply", "plans/sample", "--auto-approve")
	b.must(0, "apply", "plans/sample", "--auto-approve", "--parallelism", "1")
	if a.version() != b.version() {
		t.Errorf("two versions: %s %s", a.version(), b.version())
	}
	fa, fb := a.files(".pipe/store/v1/blobs"), b.files(".pipe/store/v1/blobs")
	if len(fa) == 0 || fmt.Sprint(fa) != fmt.Sprint(fb) {
		t.Errorf("the stores differ: %d and %d files", len(fa), len(fb))
	}
}

// TestSampleEdits edits the sample as a user would and looks at what is planned.
func TestSampleEdits(t *testing.T) {
	p := newProject(t)
	p.must(0, "apply", "plans/sample", "--auto-approve")
	p.edit("configs/base/training.yaml", "epochs: 200, l2: 0.0001}\nai2", "epochs: 150, l2: 0.0001}\nai2")
	got := p.plan()
	if a := got.actions(); strings.Contains(a, "features") || !strings.HasPrefix(a, "update stage.model\n") || !strings.Contains(a, "update stage.backtest") {
		t.Errorf("an edit of training gives\n%s", a)
	}
	p.edit("configs/base/training.yaml", "epochs: 150", "epochs: 200")
	if got := p.plan(); len(got.Changes) != 0 {
		t.Errorf("undone, the plan is\n%s", got.actions())
	}
	// A change of the input that canonicalisation undoes: the order of the rows.
	raw := filepath.Join(p.dir, "samples/data/EURUSD_1h.csv")
	b, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	lines[1], lines[2] = lines[2], lines[1]
	if err := os.WriteFile(raw, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.must(0, "apply", "plans/sample", "--auto-approve", "--json")
	var ran []string
	for _, line := range strings.Split(r.stdout, "\n") {
		var e struct{ Type, Address, Outcome string }
		if json.Unmarshal([]byte(line), &e) == nil && e.Type == "node_finished" && e.Outcome == "ran" {
			ran = append(ran, e.Address)
		}
	}
	if len(ran) != 2 || !strings.HasPrefix(ran[0], "input.") || !strings.HasPrefix(ran[1], "stage.") {
		t.Errorf("swapped rows ran %v, want the input and its canonical stage", ran)
	}
}

// inbox is a real HTTP server that takes the place of Slack and PagerDuty.
type inbox struct {
	mu       sync.Mutex
	requests []request
	server   *httptest.Server
}

type request struct {
	path, key string
	body      map[string]any
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{}
	in.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var body map[string]any
		if err := json.Unmarshal(b, &body); err != nil || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		in.mu.Lock()
		in.requests = append(in.requests, request{r.URL.Path, r.Header.Get("Idempotency-Key"), body})
		in.mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/v2/enqueue") {
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprintf(w, `{"status":"success","dedup_key":%q}`, body["dedup_key"])
			return
		}
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(in.server.Close)
	return in
}

func (in *inbox) at(path string) []request {
	in.mu.Lock()
	defer in.mu.Unlock()
	var list []request
	for _, r := range in.requests {
		if strings.HasPrefix(r.path, path) {
			list = append(list, r)
		}
	}
	return list
}

const (
	secretSlack   = "T000-very-secret-hook"
	secretRouting = "routing-key-very-secret"
	secretPG      = "pg-very-secret-word"
)

// withServices points a project at real servers, with secrets.
func withServices(t *testing.T, p *project) (postgres, redisURL string, in *inbox) {
	t.Helper()
	postgres, redisURL, in = testservices.Postgres(t), testservices.Redis(t), newInbox(t)
	p.env = append(p.env,
		"POSTGRES_URL="+strings.Replace(postgres, "pipe@", "pipe:"+secretPG+"@", 1), "REDIS_URL="+redisURL,
		"SLACK_WEBHOOK_URL="+in.server.URL+"/services/"+secretSlack, "PAGERDUTY_ROUTING_KEY="+secretRouting,
		"PAGERDUTY_EVENTS_URL="+in.server.URL+"/v2/enqueue")
	return postgres, redisURL, in
}

// TestWithServices publishes to a real PostgreSQL and a real Redis, and tells a local server.
func TestWithServices(t *testing.T) {
	p := newProject(t)
	postgres, redisURL, in := withServices(t, p)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	opts, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opts)
	defer rdb.Close()
	sub := rdb.Subscribe(ctx, "pipe:model_published")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "PIPE_LOG=trace")
	r := p.must(0, "apply", "plans/sample", "--auto-approve")
	version := p.version()
	conn, err := pgx.Connect(ctx, postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var deployed, plan string
	if err := conn.QueryRow(ctx, "select model_version, plan_digest from core.model_registry where status = 'deployed'").Scan(&deployed, &plan); err != nil || deployed != version {
		t.Errorf("deployed %q, want %q: %v", deployed, version, err)
	}
	if got := rdb.Get(ctx, "pipe:active_model_version").Val(); !strings.Contains(got, version) {
		t.Errorf("Redis points at %q, want %q", got, version)
	}
	if m, err := sub.ReceiveMessage(ctx); err != nil || !strings.Contains(m.Payload, version) {
		t.Errorf("message %v, %v", m, err)
	}
	slack, pager := in.at("/services/"), in.at("/v2/enqueue")
	if len(slack) != 1 || !strings.Contains(fmt.Sprint(slack[0].body), version) || slack[0].body["channel"] != "#ml-ops" {
		t.Errorf("Slack: %v", slack)
	}
	if len(pager) != 0 {
		t.Errorf("PagerDuty heard of a success: %v", pager)
	}
	noSecrets(t, p, conn, r)
	p.edit("plans/sample/pipe.hcl", "min_value = 0.5", "min_value = 1.5")
	r = p.must(3, "apply", "plans/sample", "--auto-approve")
	pager = in.at("/v2/enqueue")
	if len(pager) != 1 || pager[0].body["routing_key"] != secretRouting || pager[0].body["event_action"] != "trigger" || pager[0].body["dedup_key"] == "" {
		t.Errorf("PagerDuty: %v", pager)
	}
	noSecrets(t, p, conn, r)
	p.edit("plans/sample/pipe.hcl", "min_value = 1.5", "min_value = 0.5")
	p.must(0, "apply", "plans/sample", "--auto-approve")
	p.must(0, "destroy", "plans/sample", "--auto-approve")
	var left int
	if err := conn.QueryRow(ctx, "select count(*) from core.model_registry").Scan(&left); err != nil || left != 0 {
		t.Errorf("destroy left %d versions: %v", left, err)
	}
	if n := rdb.Exists(ctx, "pipe:active_model_version").Val(); n != 0 {
		t.Error("destroy left the pointer in Redis")
	}
	noSecrets(t, p, conn, r)
}

// noSecrets greps every file below the project, what was printed, and every table.
func noSecrets(t *testing.T, p *project, conn *pgx.Conn, r result) {
	t.Helper()
	secrets := []string{secretSlack, secretRouting, secretPG}
	look := func(where, text string) {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("a secret stands in %s", where)
			}
		}
	}
	look("the output", r.stdout+r.stderr)
	for f := range p.files(".") {
		b, err := os.ReadFile(filepath.Join(p.dir, f))
		if err != nil {
			t.Fatal(err)
		}
		look(f, string(b))
	}
	for _, table := range []string{"core.model_registry", "audit.model_registry_events", "audit.retrain_runs"} {
		var text string
		if err := conn.QueryRow(context.Background(), "select coalesce(string_agg(t::text, ' '), '') from "+table+" t").Scan(&text); err != nil {
			t.Fatal(err)
		}
		look(table, text)
	}
}

// published is what the outside holds after a run: versions, registry rows, WORM records, messages.
func published(t *testing.T, p *project, postgres string, in *inbox) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var rows, events, runs string
	for query, to := range map[string]*string{
		"select coalesce(string_agg(model_version || ' ' || status || ' ' || artifact_digest, ','), '') from core.model_registry":                 &rows,
		"select coalesce(string_agg(coalesce(from_status, '-') || '>' || to_status, ',' order by event_id), '') from audit.model_registry_events": &events,
		"select count(*)::text from audit.retrain_runs": &runs,
	} {
		if err := conn.QueryRow(ctx, query).Scan(to); err != nil {
			t.Fatal(err)
		}
	}
	keys := map[string]bool{}
	for _, r := range in.at("/") {
		keys[r.path+" "+r.key] = true
	}
	models := p.files("storage/models")
	var names []string
	for f, sum := range models {
		if filepath.Base(f) != "checksums.json" && filepath.Base(f) != "SHA256SUMS" {
			names = append(names, f+" "+sum)
		}
	}
	sort.Strings(names)
	return fmt.Sprintf("models %s\nrows %s\nevents %s\nruns %s\nworm %d\nmessages %d", strings.Join(names, "\n"), rows, events, runs, len(p.wormRecords()), len(keys))
}

// TestSampleKilled kills pipe at every fault point of the sample with real servers, then applies again: what was
// published is what one clean run publishes, and nothing twice.
func TestSampleKilled(t *testing.T) {
	clean := newProject(t)
	postgres, _, in := withServices(t, clean)
	clean.must(0, "apply", "plans/sample", "--auto-approve")
	want := published(t, clean, postgres, in)
	warm := filepath.Join(clean.dir, ".pipe", "store")
	for _, point := range fault.Points() {
		for n, killed := 1, true; killed && n <= 6; n++ {
			name := fmt.Sprintf("%s:%d", point, n)
			t.Run(name, func(t *testing.T) { killed = killAt(t, name, warm, n, want) })
			if n == 1 && !killed {
				t.Errorf("%s is never passed", point)
			}
		}
	}
}

// killAt kills one apply and looks at what the next one makes of it. It reports whether the point was passed.
func killAt(t *testing.T, name, warm string, n int, want string) bool {
	p := newProject(t)
	postgres, _, in := withServices(t, p)
	if n%2 == 0 { // every second run begins with what an earlier run computed
		if err := os.CopyFS(filepath.Join(p.dir, ".pipe", "store"), os.DirFS(warm)); err != nil {
			t.Fatal(err)
		}
	}
	env := p.env
	p.env = append(env[:len(env):len(env)], "PIPE_FAULT="+name)
	r := p.run("apply", "plans/sample", "--auto-approve", "--parallelism", "2")
	p.env = env
	if !r.killed {
		return false
	}
	p.must(0, "apply", "plans/sample", "--auto-approve")
	if got := published(t, p, postgres, in); got != want {
		t.Errorf("killed, then applied:\n got %s\nwant %s", got, want)
	}
	if got := p.plan(); len(got.Changes) != 0 {
		t.Errorf("killed, then applied, the plan has changes:\n%s", got.actions())
	}
	p.must(0, "audit", "verify", "plans/sample")
	return true
}

// TestTwoAppliesAtOnce starts two processes: one waits, or is refused with the holder's name.
func TestTwoAppliesAtOnce(t *testing.T) {
	p := newProject(t)
	started := make(chan result, 2)
	for range 2 {
		go func() { started <- p.run("apply", "plans/sample", "--auto-approve", "--lock-timeout", "2m") }()
	}
	for range 2 {
		if r := <-started; r.code != 0 {
			t.Errorf("an apply that waits ended with %d: %s%s", r.code, r.stdout, r.stderr)
		}
	}
	if len(p.wormRecords()) != 1 {
		t.Errorf("WORM records: %v", p.wormRecords())
	}
	other := newProject(t)
	go func() { started <- other.run("apply", "plans/sample", "--auto-approve") }()
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		r := other.run("apply", "plans/sample", "--auto-approve")
		if r.code == 5 {
			if !strings.Contains(r.stderr, "locked by") || !strings.Contains(r.stderr, "pid ") {
				t.Errorf("the refusal does not name the holder: %s", r.stderr)
			}
			break
		}
		if time.Since(begin) > time.Minute || r.code != 0 {
			t.Fatalf("no refusal was seen: %d %s", r.code, r.stderr)
		}
		other = newProject(t)
		<-started
		q := other
		go func() { started <- q.run("apply", "plans/sample", "--auto-approve") }()
		time.Sleep(50 * time.Millisecond)
	}
	<-started
}

// TestDatabaseDown publishes to a PostgreSQL that does not answer.
func TestDatabaseDown(t *testing.T) {
	p := newProject(t)
	_, _, _ = withServices(t, p)
	saved := p.must(0, "plan", "plans/sample", "--out", "plan.json")
	_ = saved
	for i, e := range p.env {
		if strings.HasPrefix(e, "POSTGRES_URL=") {
			p.env[i] = "POSTGRES_URL=postgres://pipe:" + secretPG + "@127.0.0.1:1/pipe?sslmode=disable"
		}
	}
	r := p.must(1, "apply", "plan.json")
	if !strings.Contains(r.stdout+r.stderr, "127.0.0.1:1") || !strings.Contains(r.stdout+r.stderr, "attempts") || strings.Contains(r.stdout+r.stderr, secretPG) {
		t.Errorf("the message: %s%s", r.stdout, r.stderr)
	}
	if f := p.files("storage/models"); len(f) != 0 || len(p.wormRecords()) != 0 {
		t.Errorf("half published: %v %v", f, p.wormRecords())
	}
}

// TestRealBars runs the plan for real bars, where they are.
func TestRealBars(t *testing.T) {
	data := os.Getenv("PIPE_REAL_DATA")
	if data == "" {
		data, _ = filepath.Abs("../../../shared/data/fx")
	}
	if _, err := os.Stat(filepath.Join(data, "GBPUSD_h1.csv.gz")); err != nil {
		t.Skip("there are no real bars: set PIPE_REAL_DATA to a directory with GBPUSD_h1.csv.gz and AUDUSD_h1.csv.gz")
	}
	p := newProject(t)
	if err := os.CopyFS(filepath.Join(p.dir, "fx"), os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	p.must(0, "apply", "plans/realbars", "--auto-approve", "--var", "data=fx")
	t.Logf("applied in %s", time.Since(begin).Round(time.Millisecond))
	if r := p.must(0, "apply", "plans/realbars", "--auto-approve", "--var", "data=fx"); !strings.Contains(r.stdout, "No changes") {
		t.Errorf("second apply: %s", r.stdout)
	}
}

// TestEnvironments plans the sample for staging and production, whose storage lies elsewhere. Nothing is touched.
func TestEnvironments(t *testing.T) {
	p := newProject(t)
	for _, env := range []string{"stg", "prod"} {
		got := p.plan("--env", env)
		if got.Summary["create"] != len(got.Changes) || len(got.Changes) < 12 {
			t.Errorf("%s: %v", env, got.Summary)
		}
	}
	if f := p.files(".pipe"); len(f) != 0 {
		t.Errorf("planning left %v", f)
	}
}

// TestQuickstart runs the ten lines on the CSV beside them, and on another one.
func TestQuickstart(t *testing.T) {
	p := newProject(t)
	p.must(0, "apply", "plans/quickstart", "--auto-approve")
	if f := p.files("storage"); len(f) != 1 {
		t.Errorf("files: %v", f)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "mine.csv"), []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must(0, "apply", "plans/quickstart", "--auto-approve", "--var", "csv=mine.csv")
	if err := os.WriteFile(filepath.Join(p.dir, "mine.csv"), []byte("a,b\n1,2\n3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := p.must(1, "apply", "plans/quickstart", "--auto-approve", "--var", "csv=mine.csv"); !strings.Contains(r.stdout+r.stderr, "line 3") {
		t.Errorf("a ragged row: %s%s", r.stdout, r.stderr)
	}
}

// TestFullDisk puts the store onto a file system of one megabyte. The message says what to do, what was there stays, and
// with room again the next apply goes on.
func TestFullDisk(t *testing.T) {
	p := newProject(t)
	disk := filepath.Join(p.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("a small file system can't be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", disk).Run() })
	p.edit("plans/sample/pipe.hcl", "  required_version = \">= 0.1.0\"\n", "  required_version = \">= 0.1.0\"\n  store \"file\" { path = \"disk/store\" }\n")
	r := p.must(1, "apply", "plans/sample", "--auto-approve", "--parallelism", "1")
	full := regexp.MustCompile(`(?m)^stage\.\w+ failed: .*: the disk of disk/store/scratch/sample/dev is full; free space, or point store at another disk$`)
	if !full.MatchString(r.stdout) {
		t.Errorf("the message: %s%s", r.stdout, r.stderr)
	}
	if got := p.files("storage/models"); len(got) != 0 {
		t.Errorf("published to a full disk: %v", got)
	}
	done := p.plan()
	if out, err := exec.Command("mount", "-o", "remount,size=64m", disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if p.plan().Digest != done.Digest || done.Summary["no_op"] == 0 {
		t.Errorf("what was done before the disk was full is not kept: %v", done.Summary)
	}
	p.must(0, "apply", "plans/sample", "--auto-approve")
	p.must(0, "store", "verify", "plans/sample")
}
