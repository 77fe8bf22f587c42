// Package durable writes files and directories so that they outlive a crash of the machine: content is synced before it
// gets its name, and the directory after. It refuses to know what is written.
package durable
