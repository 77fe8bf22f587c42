// Package slack is the notify type "slack": it posts messages to an incoming webhook. The webhook's URL is the secret, so
// no error shows it. Slack has no place for an idempotency key; it stands in a header and in the small print of the
// message, where people can see that two messages tell of one event. The package refuses to know what happened.
package slack
