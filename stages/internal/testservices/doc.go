// Package testservices gives tests a real PostgreSQL database and a real Redis of their own, on the servers that
// PIPE_TEST_POSTGRES_URL and PIPE_TEST_REDIS_URL name; make test starts them.
package testservices
