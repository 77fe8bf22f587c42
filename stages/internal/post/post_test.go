package post_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pipe/stages/internal/post"
)

func request(url string) post.Request {
	return post.Request{Service: "Bell", URL: url + "/hook/t0ken", Body: map[string]string{"a": "<b>"}, Header: map[string]string{"Idempotency-Key": "k1"},
		Timeout: 500 * time.Millisecond, Secrets: []string{url + "/hook/t0ken", "t0ken"}, Now: time.Now}
}

func serve(t *testing.T, h http.HandlerFunc) (string, *atomic.Int32) {
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, &calls
}

func TestSend(t *testing.T) {
	got := make(chan *http.Request, 1)
	body := make(chan string, 1)
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- r
		body <- string(b)
		w.WriteHeader(http.StatusAccepted)
	})
	if err := post.Send(context.Background(), request(url)); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if r.Method != "POST" || r.URL.Path != "/hook/t0ken" || r.Header.Get("User-Agent") != "pipe" || r.Header.Get("Idempotency-Key") != "k1" ||
		r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("the request was %s %s %v", r.Method, r.URL, r.Header)
	}
	if b := <-body; b != `{"a":"<b>"}` || !json.Valid([]byte(b)) {
		t.Errorf("the body was %s", b)
	}
}

func TestTooManyWaitsAsAsked(t *testing.T) {
	var first time.Time
	var waited time.Duration
	url, calls := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if first.IsZero() {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		waited = time.Since(first)
	})
	if err := post.Send(context.Background(), request(url)); err != nil {
		t.Fatal(err)
	}
	if calls.Load() != 2 || waited < time.Second {
		t.Errorf("%d calls, %v between them", calls.Load(), waited)
	}
}

func TestTooLongAWaitIsLeftToTheCaller(t *testing.T) {
	url, calls := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	err := post.Send(context.Background(), request(url))
	if err == nil || err.Error() != "Bell asks to wait 1h0m0s before the next message (429)" || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	url, _ = serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	begin := time.Now()
	if err := post.Send(ctx, request(url)); err == nil || time.Since(begin) > 900*time.Millisecond {
		t.Errorf("%v after %v: a wait must end with the context", err, time.Since(begin))
	}
}

func TestErrorsShowNoSecret(t *testing.T) {
	elsewhere, reached := serve(t, func(http.ResponseWriter, *http.Request) {})
	for want, h := range map[string]http.HandlerFunc{
		"Bell answered 403 Forbidden: no service for [secret]": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "no  service\nfor t0ken")
		},
		"Bell answered 302 Found: redirects are not followed, because the request holds a secret": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere+r.URL.Path, http.StatusFound)
		},
		"Bell could not be reached: ": func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(2 * time.Second):
			}
		},
	} {
		url, _ := serve(t, h)
		err := post.Send(context.Background(), request(url))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	if reached.Load() != 0 {
		t.Error("a redirect was followed")
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	if err := post.Send(context.Background(), request(closed.URL)); err == nil || strings.Contains(err.Error(), "t0ken") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("the error is %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for url, ok := range map[string]bool{"https://hooks.slack.com/x": true, "http://127.0.0.1:8080/x": true, "http://localhost/x": true, "http://[::1]:1/": true,
		"http://hooks.slack.com/t0ken": false, "ftp://127.0.0.1/t0ken": false, "t0ken": false, "https:///t0ken": false, "http://%zz/t0ken": false} {
		err := post.CheckURL(url)
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "t0ken") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}
