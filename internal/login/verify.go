package login

import (
	"cmp"
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// SubmitTOTP checks a code of the account's authenticators and spends its
// step. The returned flow has Problems when the person has to try again.
func (m *Machine) SubmitTOTP(ctx context.Context, c Client, f Flow, typed string) (Flow, error) {
	return m.submitFactor(ctx, c, f, account.MethodApp, typed, m.proveApp)
}

// SubmitBackup checks a backup code and spends it.
func (m *Machine) SubmitBackup(ctx context.Context, c Client, f Flow, typed string) (Flow, error) {
	return m.submitFactor(ctx, c, f, account.MethodBackup, typed, m.proveBackup)
}

// proof is one way to prove a second factor. It returns what is wrong with
// the code, or nil; and a notice to show after success.
type proof func(ctx context.Context, c Client, a account.Account, fs account.Factors, typed string) (*Problem, *Notice, error)

// submitFactor is the step of every second factor: only in a flow that waits
// for one, and only for the account that the flow's password named.
func (m *Machine) submitFactor(ctx context.Context, c Client, f Flow, k account.Method, typed string, prove proof) (Flow, error) {
	a, fs, err := m.verifier(ctx, f)
	if err != nil {
		return f, err
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
	return m.verified(ctx, f, k, notice)
}

// verifier returns whose second factor the flow waits for.
func (m *Machine) verifier(ctx context.Context, f Flow) (account.Account, account.Factors, error) {
	a, fs, err := m.Holder(ctx, f)
	if err == nil && m.Next(f, fs) != StepVerify {
		err = ErrNotNext
	}
	return a, fs, err
}

// verified raises a flow whose second factor was right and is spent: a second
// press of the button must not lose it. A code that is still on its way to a
// phone dies with it.
func (m *Machine) verified(ctx context.Context, f Flow, k account.Method, notice *Notice) (Flow, error) {
	now := m.Now()
	return m.raise(ctx, f, func(f *Flow) {
		f.FactorAt, f.FactorMethod, f.WrongCodes, f.Sent = now, k, 0, nil
		f.Problems, f.Notices = nil, nil
		if notice != nil {
			f.Notices = []Notice{*notice}
		}
	})
}

// ChooseMethod keeps which of the offered methods the person wants to use.
func (m *Machine) ChooseMethod(ctx context.Context, f Flow, k account.Method) (Flow, error) {
	a, fs, err := m.verifier(ctx, f)
	if err != nil {
		return f, err
	}
	if !m.offers(a, fs, k) {
		return m.refuse(ctx, f, Problem{Field: "method", Key: "method.empty"})
	}
	f.Method, f.Problems, f.Notices = k, nil, nil
	return m.Flows.SaveFlow(ctx, f)
}

// Holder returns the account that a flow's password named, with its factors
// as they are now. ErrNoFlow when the flow names none, or the account may no
// longer sign in.
func (m *Machine) Holder(ctx context.Context, f Flow) (account.Account, account.Factors, error) {
	if f.Account == "" {
		return account.Account{}, nil, ErrNotNext
	}
	a, err := m.Accounts.Account(ctx, f.Account)
	if errors.Is(err, account.ErrNotFound) || err == nil && !m.holds(f, a) {
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
	if over, err := m.signedOutThere(ctx, f); err != nil || over {
		return account.Account{}, nil, cmp.Or(err, ErrNoFlow)
	}
	fs, err := m.Accounts.Factors(ctx, a.ID)
	return a, fs, err
}

// holds reports whether an account may be what the flow's proofs open: of a
// provider that answered, one of that provider's; of a password, one that
// signs in here.
func (m *Machine) holds(f Flow, a account.Account) bool {
	if f.SSO != nil {
		// A reload may have removed the provider: then its word counts no more.
		_, known := m.Settings.Providers[f.SSO.Provider]
		over := !f.SSO.Until.IsZero() && !m.Now().Before(f.SSO.Until)
		return known && !over && f.SSO.Proved != nil && m.mayPass(a) == nil && a.Provider == f.SSO.Provider
	}
	return m.usable(a)
}

// counted reports whether the code was compared, not merely malformed.
func (p Problem) counted() bool {
	return p.Key == "code.wrong" || p.Key == "code.used" || p.Key == "backup.wrong"
}
