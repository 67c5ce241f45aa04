package samltest

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// CheckHostile has each case judged at now, the time that they were made for.
// It must be refused with one of its reasons and without a panic. Cases of
// many megabytes must also be refused without many bytes being allocated;
// bytes, because a time would depend on the machine. The count is that of the
// whole process, so the caller's test is not a parallel one.
func CheckHostile(t *testing.T, judge Judge, cases []Case, now time.Time) {
	t.Helper()
	check(t, "attack", judge, cases, now, (*Case).hostileFault)
}

// CheckAccepted has each case judged: it must be accepted, and read exactly.
func CheckAccepted(t *testing.T, judge Judge, cases []Case, now time.Time) {
	t.Helper()
	check(t, "response", judge, cases, now, (*Case).acceptedFault)
}

func check(t *testing.T, what string, judge Judge, cases []Case, now time.Time, fault func(*Case, Judge, time.Time) string) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if f := fault(&c, judge, now); f != "" {
				t.Errorf("%s\nthe %s: %s", f, what, c.Comment)
			}
		})
	}
}

// verdict is one judgement.
type verdict struct {
	assertion samlsp.Assertion
	err       error
	panicked  string
	allocated uint64
}

// judged runs the judge once, or several times where memory counts: what else
// runs in the process allocates too, so the least of some runs is the judge's.
func (c *Case) judged(judge Judge, now time.Time) (v verdict) {
	field := c.Build()
	v = once(judge, field, c, now)
	for tries := 1; c.MaxAlloc > 0 && v.allocated > c.MaxAlloc && v.panicked == "" && tries < 8; tries++ {
		v = once(judge, field, c, now)
	}
	return v
}

func once(judge Judge, field string, c *Case, now time.Time) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			v.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	asked := c.Asked
	if asked != nil {
		fresh := *asked
		asked = &fresh
	}
	var before, after runtime.MemStats
	if c.MaxAlloc > 0 {
		runtime.ReadMemStats(&before)
	}
	v.assertion, v.err = judge(field, c.RelayState, asked, now)
	if c.MaxAlloc > 0 {
		runtime.ReadMemStats(&after)
		v.allocated = after.TotalAlloc - before.TotalAlloc
	}
	return v
}

func (c *Case) hostileFault(judge Judge, now time.Time) string {
	v := c.judged(judge, now)
	var refusal *samlsp.Refusal
	switch {
	case v.panicked != "":
		return "it panicked: " + v.panicked
	case v.err == nil && c.Or != nil && c.Or(v.assertion):
	case v.err == nil:
		return fmt.Sprintf("it was accepted as %q of %q, and must be refused: %v", v.assertion.NameID, v.assertion.Issuer, c.Reasons)
	case !errors.As(v.err, &refusal):
		return fmt.Sprintf("refused with %T (%v), which is no *samlsp.Refusal", v.err, v.err)
	case !slices.Contains(c.Reasons, refusal.Reason):
		return fmt.Sprintf("refused with %q (%v), want one of %q", refusal.Reason, v.err, c.Reasons)
	}
	if v.err != nil && !blank(v.assertion) {
		return fmt.Sprintf("refused, and gave an assertion for %q nevertheless", v.assertion.NameID)
	}
	if c.MaxAlloc > 0 && v.allocated > c.MaxAlloc {
		return fmt.Sprintf("allocated %d KiB, at most %d", v.allocated>>10, c.MaxAlloc>>10)
	}
	return ""
}

func (c *Case) acceptedFault(judge Judge, now time.Time) string {
	v := c.judged(judge, now)
	var refusal *samlsp.Refusal
	switch {
	case v.panicked != "":
		return "it panicked: " + v.panicked
	case errors.As(v.err, &refusal) && slices.Contains(c.Reasons, refusal.Reason):
		return "" // stricter than it has to be, for a reason that is known
	case v.err != nil:
		return fmt.Sprintf("it was refused: %v", v.err)
	}
	return differs(v.assertion, c.Want)
}

// blank: nothing in it names anybody.
func blank(a samlsp.Assertion) bool {
	return a.ID == "" && a.Issuer == "" && a.NameID == "" && len(a.Attributes) == 0
}

// differs says how what was read differs from what was written.
func differs(got, want samlsp.Assertion) string {
	for _, one := range []struct{ name, got, want string }{
		{"ID", got.ID, want.ID},
		{"Issuer", got.Issuer, want.Issuer},
		{"NameID", got.NameID, want.NameID},
		{"Format", got.Format, want.Format},
		{"NameQualifier", got.NameQualifier, want.NameQualifier},
		{"SPNameQualifier", got.SPNameQualifier, want.SPNameQualifier},
		{"SessionIndex", got.SessionIndex, want.SessionIndex},
		{"Context", got.Context, want.Context},
	} {
		if one.got != one.want {
			return fmt.Sprintf("read %s %q, want %q", one.name, one.got, one.want)
		}
	}
	// The library cuts times to milliseconds.
	for _, one := range []struct {
		name      string
		got, want time.Time
	}{{"AuthnInstant", got.AuthnInstant, want.AuthnInstant}, {"SessionUntil", got.SessionUntil, want.SessionUntil}} {
		if one.got.IsZero() != one.want.IsZero() || one.got.Sub(one.want).Abs() > time.Millisecond {
			return fmt.Sprintf("read %s %v, want %v", one.name, one.got, one.want)
		}
	}
	if !got.Until.After(want.Until) {
		return fmt.Sprintf("its ID need be remembered until %v only, which is before it expires", got.Until)
	}
	if !maps.EqualFunc(got.Attributes, want.Attributes, slices.Equal[[]string]) {
		return fmt.Sprintf("read attributes %q, want %q", got.Attributes, want.Attributes)
	}
	return ""
}
