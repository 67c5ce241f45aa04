// Package repotest holds the repository's own rules as tests: which package
// may import which, what every package and file must say or must not hold,
// which versions are too old, and whether the documents' links lead anywhere.
// It has no code for others and knows nothing of what Sallyport does.
package repotest
