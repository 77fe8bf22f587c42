// Package redis is the publish type "redis": it tells inference processes which version is active. One transaction sets
// the key to the version and sends a message on the channel, so that a process that listens and then reads sees both or
// neither. The key with the suffix ":meta" is a hash that says how the version came to be; its idempotency key is how a
// repeated attempt knows that the message was sent.
//
// A version that its registry did not deploy is not made active; what is active stays. The package refuses to know what
// a model is.
package redis
