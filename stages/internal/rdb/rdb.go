package rdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"pipe/stages/internal/redact"
)

// Session is an open connection. Close it after.
type Session struct {
	*redis.Client
	Place    string // host:port/database
	password string
}

// Open connects. A server that can't be reached is a plain error, so that it is tried again. Commands are not repeated by
// the client: the caller decides what may be.
func Open(ctx context.Context, url string) (*Session, error) {
	o, err := parse(url)
	if err != nil {
		return nil, err
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = 5*time.Second, 10*time.Second, 10*time.Second
	logging.Disable() // it would write to stderr what is returned as an error as well
	o.DialerRetries = 1
	o.MaxRetries, o.ClientName, o.ContextTimeoutEnabled = -1, "pipe", true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	s := &Session{Client: redis.NewClient(o), Place: place(o), password: o.Password}
	if err := s.Ping(ctx).Err(); err != nil {
		s.Close()
		return nil, s.Clean(fmt.Errorf("connect to Redis at %s: %w", s.Place, err))
	}
	return s, nil
}

// Place returns host:port/database of a URL.
func Place(url string) (string, error) {
	o, err := parse(url)
	if err != nil {
		return "", err
	}
	return place(o), nil
}

// parse never shows what it could not read: any part of it may be the password.
func parse(url string) (*redis.Options, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the value is no Redis URL: write redis://user:password@host:port/0, or rediss:// for TLS (the value is a secret and is not shown)")
	}
	return o, nil
}

func place(o *redis.Options) string { return fmt.Sprintf("%s/%d", o.Addr, o.DB) }

// Clean takes the password out of an error.
func (s *Session) Clean(err error) error { return redact.Error(err, s.password) }
