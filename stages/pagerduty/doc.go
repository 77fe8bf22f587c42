// Package pagerduty is the notify type "pagerduty": it triggers incidents by the Events API, version 2. The message's
// idempotency key is the deduplication key, so that a message that is sent again opens no second incident. The package
// refuses to know what happened.
package pagerduty
