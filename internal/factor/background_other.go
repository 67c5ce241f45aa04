//go:build !linux

package factor

// behindOthers runs f as anything else: priorities of threads are Linux' own.
func behindOthers(f func()) { f() }
