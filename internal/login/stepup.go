package login

import (
	"context"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Proofs are what a person enters to confirm that it is them.
type Proofs struct {
	Password secret.Text
	Kind     account.Kind // of Code; unused where the account has no method
	Code     string
}

// StepUp proves the password AND an existing factor anew (SPEC D2). When both
// are right the session's token at the place is replaced by a new one. It
// returns what is wrong otherwise; a wrong password leaves the code unspent.
func (m *Machine) StepUp(ctx context.Context, c Client, p Person, at Place, in Proofs) (session.Credential, []Problem, error) {
	none := session.Credential{}
	if in.Kind != account.KindBackup {
		in.Kind = account.KindApp
	}
	if missing := missingProofs(p, in); missing != nil {
		return none, missing, m.TakeForm(ctx, c)
	}
	_, problem, err := m.provePassword(ctx, c, account.NormaliseIdentifier(p.Account.Name), in.Password)
	if err != nil {
		return none, nil, err
	}
	if problem != nil {
		problem.Key = "pw.current"
		return none, []Problem{*problem}, nil
	}
	t := p.Token
	t.PasswordAt = m.Now()
	if p.Factors.Protected() {
		prove := m.proveApp
		if in.Kind == account.KindBackup {
			prove = m.proveBackup
		}
		problem, _, err := prove(ctx, c, p.Account, p.Factors, in.Code)
		if err != nil {
			return none, nil, err
		}
		if problem != nil {
			return none, []Problem{*problem}, nil
		}
		t.FactorAt, t.FactorKind, t.Level = m.Now(), in.Kind, session.LevelSecondFactor
	}
	p.Token = t
	cred, err := m.Rotate(ctx, p, at)
	if err != nil {
		return none, nil, err
	}
	e := m.event(c, audit.StepUpPassed, p.Account)
	e.Session, e.Method = string(p.Session.ID), string(t.FactorKind)
	m.Audit.Record(ctx, e)
	return cred, nil, nil
}

func missingProofs(p Person, in Proofs) []Problem {
	var missing []Problem
	if in.Password.IsZero() {
		missing = append(missing, Problem{Field: "password", Key: "pw.empty"})
	}
	if p.Factors.Protected() && in.Code == "" {
		key := "code.empty"
		if in.Kind == account.KindBackup {
			key = "backup.empty"
		}
		missing = append(missing, Problem{Field: "code", Key: key})
	}
	return missing
}

// BeginStepUp makes the flow that keeps the errors of a confirmation, and
// where to go afterwards.
func (m *Machine) BeginStepUp(ctx context.Context, c Client, p Person, back string) (Flow, error) {
	f := m.newFlow(c, StepUp)
	f.Session, f.Return = p.Session.ID, back
	return f, m.Flows.CreateFlow(ctx, f)
}

// RefuseStepUp keeps what was wrong for the confirmation page to tell.
func (m *Machine) RefuseStepUp(ctx context.Context, f Flow, k account.Kind, problems []Problem) (Flow, error) {
	f.Method = k
	for _, p := range problems {
		if p.counted() {
			f.WrongCodes++
		}
	}
	return m.refuse(ctx, f, problems...)
}
