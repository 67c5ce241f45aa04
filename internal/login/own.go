package login

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// RenameFactor gives one of the person's methods another name. It is a change
// to a factor, and asks for a fresh proof as any other.
func (m *Machine) RenameFactor(ctx context.Context, c Client, p Person, id, label string) (*Problem, error) {
	if err := m.mayChange(p); err != nil {
		return nil, err
	}
	f, ok := p.Factors.ByID(id)
	if !ok || f.Kind == account.KindBackup {
		return nil, account.ErrNotFound
	}
	if len([]rune(label)) > account.MaxLabel {
		return &Problem{Field: "label", Key: "label.long", Left: account.MaxLabel}, nil
	}
	e := m.factorEvent(c, audit.FactorRenamed, p.Account, f.Kind)
	err := m.Changer.Since(p.Session.Created).RenameFactor(ctx, p.Account.ID, id, cleanLabel(label), e)
	if errors.Is(err, account.ErrEnded) {
		return nil, session.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	m.Audit.Written(ctx, e)
	return nil, nil
}

// EndOwnSession ends one other session of the person's. account.ErrNotFound for
// one that is not theirs, or has ended, and for the present one: for that there
// is signing out.
func (m *Machine) EndOwnSession(ctx context.Context, c Client, p Person, id session.ID) error {
	open, err := m.Sessions.SessionsOf(ctx, p.Account.ID)
	if err != nil {
		return err
	}
	for _, s := range open {
		if s.ID != id || s.ID == p.Session.ID {
			continue
		}
		if err := m.Sessions.EndSession(ctx, id); err != nil {
			return err
		}
		e := m.event(c, audit.OwnSessionEnded, p.Account)
		e.Session = string(id)
		m.Audit.Record(ctx, e)
		return nil
	}
	return account.ErrNotFound
}

// BeginTest starts a walk over the pages of a sign-in's second step, for
// somebody signed in: it says whether a method works, or why not, and opens
// nothing (SPEC E).
func (m *Machine) BeginTest(ctx context.Context, c Client, p Person, k account.Method) (Flow, error) {
	if p.Session.SSO != nil || !m.offers(p.Account, p.Factors, k) {
		return Flow{}, ErrNotAllowed
	}
	f := m.newFlow(c, Test)
	f.Account, f.Session, f.Since, f.Method = p.Account.ID, p.Session.ID, p.Session.Created, k
	f.PasswordAt = m.Now() // the session stands for it; nothing is given for this flow
	return f, m.Flows.CreateFlow(ctx, f)
}

// FinishTest says what a test found, and ends its flow.
func (m *Machine) FinishTest(ctx context.Context, c Client, p Person, f Flow) (account.Method, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return "", err
	}
	if f.Purpose != Test || !f.Of(p) || m.Next(f, fs) != StepDone {
		return "", ErrNotNext
	}
	_ = m.Flows.DeleteFlow(ctx, f.Browser, f.ID) // it ends by itself too
	e := m.event(c, audit.FactorTested, a)
	e.Method = string(f.FactorMethod)
	m.Audit.Record(ctx, e)
	return f.FactorMethod, nil
}
