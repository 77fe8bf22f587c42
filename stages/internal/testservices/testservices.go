package testservices

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

func server(t testing.TB, name string) string {
	t.Helper()
	if u := os.Getenv(name); u != "" {
		return u
	}
	if os.Getenv("PIPE_TEST_SKIP_SERVICES") == "1" {
		t.Skipf("%s is not set and PIPE_TEST_SKIP_SERVICES=1", name)
	}
	t.Fatalf("%s is not set: run make test, which starts the server, or set it (PIPE_TEST_SKIP_SERVICES=1 skips the tests that need servers)", name)
	return ""
}

// Postgres makes a fresh database, returns its URL, and drops it when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	admin := server(t, "PIPE_TEST_POSTGRES_URL")
	name := "pipe_test_" + random(t)
	exec := func(sql string) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, admin)
		if err != nil {
			t.Fatalf("connect to the test server: %v", err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec("create database " + pgx.Identifier{name}.Sanitize())
	t.Cleanup(func() { exec("drop database " + pgx.Identifier{name}.Sanitize() + " with (force)") })
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// Redis returns the URL of an empty logical database that no other test uses until this one ends.
func Redis(t testing.TB) string {
	t.Helper()
	base := server(t, "PIPE_TEST_REDIS_URL")
	opts, err := redis.ParseURL(base)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	locks := redis.NewClient(opts) // database 0 holds the locks of the others
	t.Cleanup(func() { _ = locks.Close() })
	token := random(t)
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(50 * time.Millisecond) {
		for db := 1; db < 16; db++ {
			key := fmt.Sprintf("pipe-test-database-%d", db)
			if ok, err := locks.SetNX(ctx, key, token, 5*time.Minute).Result(); err != nil {
				t.Fatalf("lock a Redis database: %v", err)
			} else if !ok {
				continue
			}
			flush(t, opts, db)
			t.Cleanup(func() {
				flush(t, opts, db)
				locks.Del(ctx, key)
			})
			return fmt.Sprintf("redis://%s/%d", opts.Addr, db)
		}
	}
	t.Fatal("every logical Redis database is taken")
	return ""
}

func flush(t testing.TB, opts *redis.Options, db int) {
	one := *opts
	one.DB = db
	c := redis.NewClient(&one)
	defer c.Close()
	if err := c.FlushDB(context.Background()).Err(); err != nil {
		t.Errorf("empty Redis database %d: %v", db, err)
	}
}

func random(t testing.TB) string {
	b := make([]byte, 6)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}
