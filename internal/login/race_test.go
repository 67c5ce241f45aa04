package login_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// TestOneRightCodeSentAHundredTimesPassesOnce: CVE-2026-20779, from a hundred
// half-done sign-ins on two nodes.
func TestOneRightCodeSentAHundredTimesPassesOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.Factor.N = 1000 })
	ann := s.Add("ann", authtest.WithApp)
	nodes := []*login.Machine{s.Machine, s.Node(s.Machine.Settings)}
	const n = 100
	clients, flows := make([]login.Client, n), make([]login.Flow, n)
	for i := range n {
		clients[i] = s.Client()
		flows[i] = s.PasswordPassed(clients[i], ann)
	}
	code := ann.Code()
	var right atomic.Int64
	together(n, func(i int) {
		f, err := nodes[i%2].SubmitTOTP(ctx, clients[i], flows[i], code)
		if err == nil && len(f.Problems) == 0 {
			right.Add(1)
		}
	})
	if right.Load() != 1 {
		t.Errorf("%d sign-ins passed with one code", right.Load())
	}
}

// TestOneBackupCodeSentAtOncePassesOnce: T66.
func TestOneBackupCodeSentAtOncePassesOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.Factor.N = 1000 })
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(1))
	const n = 12
	clients, flows := make([]login.Client, n), make([]login.Flow, n)
	for i := range n {
		clients[i] = s.Client()
		flows[i] = s.PasswordPassed(clients[i], ann)
	}
	var right atomic.Int64
	together(n, func(i int) {
		f, err := s.Node(s.Machine.Settings).SubmitBackup(ctx, clients[i], flows[i], ann.Codes[0])
		if err == nil && len(f.Problems) == 0 {
			right.Add(1)
		}
	})
	if right.Load() != 1 {
		t.Errorf("%d sign-ins passed with one code", right.Load())
	}
}

// counting counts the comparisons that reach the store.
type counting struct {
	login.Prover
	compared atomic.Int64
}

func (c *counting) Prove(ctx context.Context, id account.ID, kind account.Kind, try func([]*account.Factor) []audit.Event) error {
	c.compared.Add(1)
	return c.Prover.Prove(ctx, id, kind, try)
}

// TestBurstOfWrongCodesIsComparedFiveTimes: T30, CVE-2024-4629.
func TestBurstOfWrongCodesIsComparedFiveTimes(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := s.Add("ann", authtest.WithApp)
	prover := &counting{Prover: s.Durable}
	s.Machine.Prover = prover
	const n = 100
	clients, flows := make([]login.Client, n), make([]login.Flow, n)
	for i := range n {
		clients[i] = s.Client()
		flows[i] = s.PasswordPassed(clients[i], ann)
	}
	wrong := ann.WrongCode()
	together(n, func(i int) { _, _ = s.Machine.SubmitTOTP(ctx, clients[i], flows[i], wrong) })
	if prover.compared.Load() != 5 {
		t.Errorf("%d codes were compared", prover.compared.Load())
	}
	c := s.Client()
	_, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.Code())
	wantLimited(t, err, "factor", 0)
}

// TestBurstOfWrongPasswordsIsComparedFiveTimes: T31.
func TestBurstOfWrongPasswordsIsComparedFiveTimes(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann"), s.Client()
	var compared, limited atomic.Int64
	flows := make([]login.Flow, 60)
	for i := range flows {
		other := s.Client()
		other.Network = c.Network
		flows[i] = s.Begin(other)
	}
	together(len(flows), func(i int) {
		own := c
		own.Browser = flows[i].Browser
		f, err := s.Machine.SubmitPassword(ctx, own, flows[i], "ann", wrong)
		if err == nil && len(f.Problems) == 1 {
			compared.Add(1)
		} else {
			limited.Add(1)
		}
	})
	if compared.Load() != 5 || limited.Load() != 55 {
		t.Errorf("%d compared, %d limited", compared.Load(), limited.Load())
	}
	_, err := password(s, c, "ann", ann.Password)
	wantLimited(t, err, "password_account", 0)
}

// leaving is a store whose client goes away in the middle of the comparison.
type leaving struct {
	login.Prover
	leave context.CancelFunc
}

func (l leaving) Prove(ctx context.Context, id account.ID, kind account.Kind, try func([]*account.Factor) []audit.Event) error {
	return l.Prover.Prove(ctx, id, kind, func(fs []*account.Factor) []audit.Event {
		l.leave()
		return try(fs)
	})
}

// TestClientThatGoesAwayGetsNoFreeGuess: a try that was compared is counted,
// in the window and in the row of failures, whoever is left to hear of it.
func TestClientThatGoesAwayGetsNoFreeGuess(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp), s.Client()
	for range 5 {
		gone, leave := context.WithCancel(ctx)
		m := s.Node(s.Machine.Settings)
		m.Prover = leaving{s.Durable, leave}
		_, _ = m.SubmitTOTP(gone, c, s.PasswordPassed(c, ann), ann.WrongCode())
	}
	if n := ann.Factors()[0].Failures; n != 5 {
		t.Errorf("%d failures in a row are kept, want 5", n)
	}
	_, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.Code())
	wantLimited(t, err, "factor", 0)
	for range 10 { // a request that is gone before it began compares nothing
		gone, leave := context.WithCancel(ctx)
		leave()
		_, _ = s.Machine.SubmitPassword(gone, c, s.Begin(c), "ann", ann.Password)
	}
}

// TestTwoTabsConfirmOneAuthenticatorOnce: a double click on Continue.
func TestTwoTabsConfirmOneAuthenticatorOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.PortalNeeds = 2 })
	ann, c := s.Add("ann"), s.Client()
	f, err := s.Machine.BeginApp(ctx, s.PasswordPassed(c, ann), false)
	f = passed(t, f, err)
	code := pendingCode(s, f)
	var mu sync.Mutex
	var added int
	together(10, func(int) {
		if g, err := s.Machine.ConfirmApp(ctx, c, f, code, ""); err == nil && len(g.Problems) == 0 {
			mu.Lock()
			added++
			mu.Unlock()
		}
	})
	if added != 1 || len(ann.Factors()) != 1 {
		t.Errorf("%d confirmations, %d factors", added, len(ann.Factors()))
	}
}
