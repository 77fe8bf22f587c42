// Package stages is the library of types: inputs, stages, publish targets and notifiers, one package a type. It knows the
// contract of types and nothing else of the engine.
package stages
