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
	err = m.Prover.Prove(ctx, a.ID, account.KindApp, func(apps []*account.Factor) []audit.Event {
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
	m.tooWrong(ctx, c, a, account.KindApp, taken.filled())
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
