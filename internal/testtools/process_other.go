//go:build !linux

package testtools

import "syscall"

// dieWithParent does nothing here: only Linux can tie a program's life to that
// of the test binary.
func dieWithParent(*syscall.SysProcAttr) {}
