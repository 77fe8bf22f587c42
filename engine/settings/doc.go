// Package settings reads what stands beside plan files: the topics in configs/base and configs/envs, and .env. It refuses
// to know what a topic means. There are no defaults in code.
package settings
