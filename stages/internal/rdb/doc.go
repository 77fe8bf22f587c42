// Package rdb opens sessions on Redis for publish types. Its errors name a server by host, port and database, never by
// its URL. It refuses to know what the keys are for.
package rdb
