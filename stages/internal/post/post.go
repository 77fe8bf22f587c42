package post

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pipe/engine/digest"
	"pipe/stages/internal/redact"
)

const (
	attempts  = 3
	maxWait   = 10 * time.Second // longest wait that a receiver may ask for within one delivery
	shownBody = 300              // bytes of an answer that stand in an error
)

// Request is one POST.
type Request struct {
	Service string // for messages, such as Slack
	URL     string
	Body    any
	Header  map[string]string
	Timeout time.Duration // of one attempt
	Secrets []string      // what must not be shown; the URL if it is one
	Now     func() time.Time
}

// Send delivers the request. It waits and tries again when the receiver says that there were too many; any other answer
// but success is an error.
func Send(ctx context.Context, r Request) error {
	if err := CheckURL(r.URL); err != nil {
		return fmt.Errorf("%s: %w", r.Service, err)
	}
	body, err := digest.Canonical(r.Body)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: r.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for i := 1; ; i++ {
		wait, err := r.once(ctx, client, body)
		if err == nil {
			return nil
		}
		err = redact.Error(err, r.Secrets...)
		if wait <= 0 || wait > maxWait || i == attempts {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// once makes one attempt. wait is what the receiver asked for, 0 if it did not.
func (r Request) once(ctx context.Context, client *http.Client, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("%s: the address can't be used", r.Service)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "pipe")
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	res, err := client.Do(req)
	if err != nil {
		var ue *url.Error // its text has the URL in it
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return 0, fmt.Errorf("%s could not be reached: %w", r.Service, err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, shownBody))
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return 0, nil
	case res.StatusCode == http.StatusTooManyRequests:
		wait = r.retryAfter(res.Header.Get("Retry-After"))
		return wait, fmt.Errorf("%s asks to wait %s before the next message (429)", r.Service, wait)
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return 0, fmt.Errorf("%s answered %s: redirects are not followed, because the request holds a secret", r.Service, res.Status)
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(answer), "?")), " ")
	return 0, fmt.Errorf("%s answered %s: %s", r.Service, res.Status, text)
}

// retryAfter reads seconds or a date. Nothing that can be read is one second.
func (r Request) retryAfter(header string) time.Duration {
	if s, err := strconv.ParseInt(header, 10, 32); err == nil && s >= 0 {
		return max(time.Duration(s)*time.Second, 10*time.Millisecond)
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(r.Now()).Round(time.Second), 10*time.Millisecond)
	}
	return time.Second
}

// CheckURL allows https, and http to the machine itself.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return errors.New("the address is no URL such as https://host/path (it may be a secret and is not shown)")
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "https" || u.Scheme == "http" && local {
		return nil
	}
	return errors.New("the address must begin with https://, because what is sent holds a secret (it may be a secret and is not shown)")
}
