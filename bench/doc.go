// Package bench measures what Sallyport costs: side by side with bare Caddy, in
// one run, on one machine. Its tests are measurements: they fail when something
// cannot be measured, never because it was slow. `make bench` runs all of them
// and writes README.md; `make bench-quick` runs short ones and only prints.
//
// How the contestants are kept alike and apart is told in README.md.
package bench
