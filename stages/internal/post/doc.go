// Package post sends JSON to web services for notifiers. What it sends may be secret in the URL or in the body, so it follows no
// redirect, speaks TLS to everything but the machine itself, and shows neither in an error. It refuses to know what
// is sent.
package post
