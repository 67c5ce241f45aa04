package testtools

import "syscall"

// dieWithParent makes the kernel end the program when the test binary is
// killed, times out or panics, so that no server outlives its test.
// SIGQUIT because PostgreSQL then also ends its own children.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
