package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// sealApp is the context that authenticator secrets are sealed for.
const sealApp = "authenticator secret"

// SubmitTOTP checks a code of the account's authenticators and spends its
// step. The returned flow has Problems when the person has to try again.
func (m *Machine) SubmitTOTP(ctx context.Context, c Client, f Flow, typed string) (Flow, error) {
	return m.submitFactor(ctx, c, f, account.KindApp, typed, m.proveApp)
}

// SubmitBackup checks a backup code and spends it.
func (m *Machine) SubmitBackup(ctx context.Context, c Client, f Flow, typed string) (Flow, error) {
	return m.submitFactor(ctx, c, f, account.KindBackup, typed, m.proveBackup)
}

// proof is one way to prove a second factor. It returns what is wrong with
// the code, or nil; and a notice to show after success.
type proof func(ctx context.Context, c Client, a account.Account, fs account.Factors, typed string) (*Problem, *Notice, error)

// submitFactor is the step of every second factor: only in a flow that waits
// for one, and only for the account that the flow's password named.
func (m *Machine) submitFactor(ctx context.Context, c Client, f Flow, k account.Kind, typed string, prove proof) (Flow, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return f, err
	}
	if f.Purpose != SignIn || m.Next(f, fs) != StepVerify {
		return f, ErrNotNext
	}
	problem, notice, err := prove(ctx, c, a, fs, typed)
	if err != nil {
		return f, err
	}
	if problem != nil {
		f.Method = k
		if !problem.counted() {
			return m.unread(ctx, c, f, *problem)
		}
		f.WrongCodes++
		return m.refuse(ctx, f, *problem)
	}
	f.FactorAt, f.FactorKind, f.WrongCodes = m.Now(), k, 0
	f.Problems, f.Notices = nil, nil
	if notice != nil {
		f.Notices = []Notice{*notice}
	}
	return m.advance(ctx, f)
}

// Holder returns the account that a flow's password named, with its factors
// as they are now. ErrNoFlow when the flow names none, or the account may no
// longer sign in.
func (m *Machine) Holder(ctx context.Context, f Flow) (account.Account, account.Factors, error) {
	if f.Account == "" {
		return account.Account{}, nil, ErrNotNext
	}
	a, err := m.Accounts.Account(ctx, f.Account)
	if errors.Is(err, account.ErrNotFound) || err == nil && !usable(a) {
		return account.Account{}, nil, ErrNoFlow
	}
	if err != nil {
		return account.Account{}, nil, err
	}
	// What was proved before the account's sessions were ended (password
	// changed, signed out everywhere) opens nothing any more (T38).
	if f.Since.Before(a.SessionsValidFrom) {
		return account.Account{}, nil, ErrNoFlow
	}
	fs, err := m.Accounts.Factors(ctx, a.ID)
	return a, fs, err
}

// counted reports whether the code was compared, not merely malformed.
func (p Problem) counted() bool {
	return p.Key == "code.wrong" || p.Key == "code.used" || p.Key == "backup.wrong"
}

// proveApp takes from the limiter, then compares and spends in one
// transaction over the account's authenticators.
func (m *Machine) proveApp(ctx context.Context, c Client, a account.Account, fs account.Factors, typed string) (*Problem, *Notice, error) {
	if typed == "" {
		return &Problem{Field: "code", Key: "code.empty"}, nil, nil
	}
	code, err := factor.NormaliseCode(typed)
	if err != nil {
		return &Problem{Field: "code", Key: "code.format"}, nil, nil
	}
	counter := m.factorCount(a.ID, account.KindApp)
	taken, err := m.take(ctx, []count{counter})
	if err != nil {
		return nil, nil, m.limited(ctx, c, a, a.Name, err)
	}
	var events []audit.Event
	outcome := factor.ErrCodeWrong
	// Counted is counted: a client that goes away now does not undo the
	// comparison and with it the failure.
	ctx = context.WithoutCancel(ctx)
	err = m.Prover.ProveApp(ctx, a.ID, func(apps []*account.Factor) []audit.Event {
		events, outcome = m.matchApps(c, a, apps, code)
		return events
	})
	if err != nil {
		m.giveBack(ctx, taken)
		return nil, nil, err
	}
	m.Audit.Written(ctx, events...)
	switch {
	case outcome == nil:
		return nil, nil, m.Limiter.Clear(ctx, counter.key)
	case errors.Is(outcome, factor.ErrCodeUsed):
		return &Problem{Field: "code", Key: "code.used", Left: taken.left()}, nil, nil
	}
	return &Problem{Field: "code", Key: "code.wrong", Left: taken.left()}, nil, nil
}

// matchApps compares the code with every authenticator that is not locked, and
// changes those it concerns.
func (m *Machine) matchApps(c Client, a account.Account, apps []*account.Factor, code string) (events []audit.Event, outcome error) {
	now := m.Now()
	outcome = factor.ErrCodeWrong
	for _, f := range apps {
		if f.Locked {
			continue
		}
		step, err := m.matchApp(f, code, now)
		switch {
		case err == nil:
			f.LastStep = step
			f.Succeed(now)
			// The failures were counted for all of them: a spare that is
			// never used must not add them up over the years.
			for _, other := range apps {
				if !other.Locked {
					other.Failures = 0
				}
			}
			return append(events, m.factorEvent(c, audit.FactorRight, a, f.Kind)), nil
		case errors.Is(err, factor.ErrCodeUsed):
			outcome = err
		case errors.Is(err, factor.ErrSecretUnusable):
			events = append(events, m.factorEvent(c, audit.SecretUnreadable, a, f.Kind))
		}
	}
	if errors.Is(outcome, factor.ErrCodeUsed) {
		return append(events, m.factorEvent(c, audit.FactorReplayed, a, account.KindApp)), outcome
	}
	events = append(events, m.factorEvent(c, audit.FactorWrong, a, account.KindApp))
	for _, f := range apps {
		if !f.Locked && f.Fail(m.Settings.Limits.FactorHard) {
			events = append(events, m.factorEvent(c, audit.FactorLocked, a, f.Kind))
		}
	}
	return events, outcome
}

// matchApp opens the secret and matches one code. A secret that can't be
// opened never matches: pquerna/otp would accept the code that anyone can
// compute for an empty one (V46).
func (m *Machine) matchApp(f *account.Factor, code string, now time.Time) (int64, error) {
	raw, err := m.Keys.Open(sealApp, []byte(f.Account), f.Sealed)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", factor.ErrSecretUnusable, err)
	}
	return factor.MatchTOTP(secret.New(string(raw)), code, now, f.LastStep)
}

func (m *Machine) factorEvent(c Client, n audit.Name, a account.Account, k account.Kind) audit.Event {
	e := m.event(c, n, a)
	e.Method = string(k)
	return e
}
