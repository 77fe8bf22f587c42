// Package apply carries out a plan and nothing else: it never plans again. Its only liberty is to do less, when a
// pending input turns out unchanged (early cut-off). A node is run, checked and committed: the artifact is stored first,
// the entry is committed last and alone, so that a crash between them leaves garbage and never a lie.
package apply
