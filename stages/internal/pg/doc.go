// Package pg opens sessions on PostgreSQL for publish types, and brings their tables up to date. Its errors name a
// server by host, port and database, never by its URL. It refuses to know what the tables are for.
package pg
