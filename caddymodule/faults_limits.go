package caddymodule

import "time"

// owaspLeast is OWASP's least argon2id parameters (Password Storage Cheat
// Sheet): the more memory, the fewer passes.
var owaspLeast = []struct {
	memory Size
	passes uint32
}{
	{46 << 20, 1}, {19 << 20, 2}, {12 << 20, 3}, {9 << 20, 4}, {7 << 20, 5},
}

// belowOWASP reports whether no line of the table is reached.
func (p Argon2id) belowOWASP() bool {
	for _, least := range owaspLeast {
		if p.Memory >= least.memory && p.Passes >= least.passes {
			return false
		}
	}
	return true
}

func (p Argon2id) problem() string {
	switch {
	case p.belowOWASP():
		return "below the OWASP minimum (19MiB with 2 passes, 46MiB with 1); write `argon2id 64MiB 3 1`"
	case p.Memory%(1<<10) != 0:
		return "the memory is not whole KiB; write a size like 64MiB"
	case p.Memory > 4<<30:
		return "one hash would take more than 4GiB; write a size like 64MiB"
	case p.Passes > maxPasses || p.Threads < 1 || p.Threads > maxThreads:
		return "passes are 1 to 64 and threads 1 to 64; write `argon2id 64MiB 3 1`"
	}
	return ""
}

const (
	maxPasses  = 64
	maxThreads = 64
)

func (p PasswordRules) faults(f *finder) {
	if p.MinLength < minPassword || p.MinLength > maxPassword {
		f.fault("password.min_length", "%d is not from 8 to 128; write a number like 12", p.MinLength)
	}
	if problem := p.Argon2id.problem(); problem != "" {
		f.fault("password.argon2id", "%s", problem)
	}
	if p.Parallel < 0 {
		f.fault("password.parallel", "%d is below one; write a number or leave it out", p.Parallel)
	}
}

// Lengths of passwords in characters (SPEC B2, NIST SP 800-63B-4 3.1.1.2).
const (
	minPassword = 8
	maxPassword = 128
)

// maxFactorHard is NIST SP 800-63B-4 3.2.2: no more than 100 failures in a row.
const maxFactorHard = 100

func (l Limits) faults(f *finder) {
	for _, w := range []struct {
		name   string
		window Window
	}{
		{"password_account", l.PasswordAccount},
		{"password_unknown", l.PasswordUnknown},
		{"password_network", l.PasswordNetwork},
		{"factor", l.Factor},
		{"send_network", l.SendNetwork},
		{"forms", l.Forms},
	} {
		if w.window.N < 1 || w.window.N > maxTries || w.window.Window <= 0 || time.Duration(w.window.Window) > 30*24*time.Hour {
			f.fault("limits."+w.name, "%d in %s is no limit; write tries from 1 and a time up to 30d, like `%s 5 10m`", w.window.N, timeText(w.window.Window), w.name)
		}
	}
	if l.FactorHard < 1 || l.FactorHard > maxFactorHard {
		f.fault("limits.factor_hard", "%d is not from 1 to 100; write `factor_hard 100`", l.FactorHard)
	}
	f.positive("limits.send_wait", l.SendWait)
	for _, n := range []struct {
		name string
		n    int
	}{{"send_hour", l.SendHour}, {"send_day", l.SendDay}} {
		if n.n < 1 || n.n > maxTries {
			f.fault("limits."+n.name, "%d is not from 1 to %d; write a number like 5", n.n, maxTries)
		}
	}
}
