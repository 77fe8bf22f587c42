// Package check holds expectations: their vocabulary and schemas, their canonical form and digest, the suite files, the
// results, and the Evaluator interface that an engine for tables implements. Names, arguments, semantics and result
// fields are those of Great Expectations without the prefix "expect_". It refuses to know how tables are read.
package check
