package login

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Proofs are what a person enters to confirm that it is them.
type Proofs struct {
	Password secret.Text
	Method   account.Method // of Code: app or backup; unused where the account has no method
	Code     string
}

// StepUp proves the password AND an existing factor anew (SPEC D2). When both
// are right the session's token at the place is replaced by a new one. It
// returns what is wrong otherwise; a wrong password leaves the code unspent.
func (m *Machine) StepUp(ctx context.Context, c Client, p Person, at Place, in Proofs) (session.Credential, []Problem, error) {
	none := session.Credential{}
	if in.Method != account.MethodBackup {
		in.Method = account.MethodApp
	}
	if missing := missingProofs(p, in); missing != nil {
		return none, missing, m.TakeForm(ctx, c)
	}
	problem, err := m.ownPassword(ctx, c, p, in.Password)
	if err != nil {
		return none, nil, err
	}
	if problem != nil {
		return none, []Problem{*problem}, nil
	}
	t := p.Token
	t.PasswordAt = m.Now()
	if p.Factors.Protected() {
		prove := m.proveApp
		if in.Method == account.MethodBackup {
			prove = m.proveBackup
		}
		problem, _, err := prove(ctx, c, p.Account, p.Factors, in.Code)
		if err != nil {
			return none, nil, err
		}
		if problem != nil {
			return none, []Problem{*problem}, nil
		}
		t.FactorAt, t.FactorKind, t.Level = m.Now(), in.Method.Kind(), session.LevelSecondFactor
	}
	p.Token = t
	cred, err := m.steppedUp(ctx, c, p, at, in.Method)
	return cred, nil, err
}

// ownPassword proves the password of somebody signed in.
func (m *Machine) ownPassword(ctx context.Context, c Client, p Person, pw secret.Text) (*Problem, error) {
	_, problem, err := m.provePassword(ctx, c, account.NormaliseIdentifier(p.Account.Name), pw)
	if problem != nil {
		problem.Key = "pw.current"
	}
	return problem, err
}

// steppedUp gives the session a new token with the proofs in p.Token.
func (m *Machine) steppedUp(ctx context.Context, c Client, p Person, at Place, k account.Method) (session.Credential, error) {
	cred, err := m.Rotate(ctx, p, at)
	if err != nil {
		return session.Credential{}, err
	}
	e := m.event(c, audit.StepUpPassed, p.Account)
	e.Session = string(p.Session.ID)
	if p.Factors.Protected() {
		e.Method = string(k)
	}
	m.Audit.Record(ctx, e)
	return cred, nil
}

// StepUpByPhone proves the password, after which the flow waits for a second
// factor as a sign-in does: a code is sent only after the right password
// (SECURITY R27). The returned flow has Problems where it was not right.
func (m *Machine) StepUpByPhone(ctx context.Context, c Client, p Person, f Flow, pw secret.Text, k account.Method) (Flow, error) {
	if f.Purpose != StepUp || !f.Of(p) || !m.offers(p.Account, p.Factors, k) || k.Kind() != account.KindPhone {
		return f, ErrNotNext
	}
	f.Method = k
	if pw.IsZero() {
		return m.unread(ctx, c, f, Problem{Field: "password", Key: "pw.empty"})
	}
	problem, err := m.ownPassword(ctx, c, p, pw)
	if err != nil {
		return f, err
	}
	if problem != nil {
		return m.refuse(ctx, f, *problem)
	}
	f.Account, f.PasswordAt, f.Since = p.Account.ID, m.Now(), p.Session.Created
	f.Problems, f.Notices = nil, nil
	return m.advance(ctx, f)
}

// FinishStepUp ends a flow whose proofs were given on the pages of a sign-in:
// the session gets a new token with them.
func (m *Machine) FinishStepUp(ctx context.Context, c Client, p Person, f Flow, at Place) (session.Credential, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return session.Credential{}, err
	}
	if f.Purpose != StepUp || !f.Of(p) || a.ID != p.Account.ID || m.Next(f, fs) != StepDone {
		return session.Credential{}, ErrNotNext
	}
	// One flow gives one token: its proofs are spent by this write.
	spent := f
	spent.Problems, spent.Notices = nil, nil
	spent.Account, spent.PasswordAt, spent.FactorAt = "", time.Time{}, time.Time{}
	if _, err = m.Flows.SaveFlow(ctx, spent); err != nil {
		return session.Credential{}, err
	}
	if len(f.Kept) == 0 { // else the page that it leads to reads it
		_ = m.Flows.DeleteFlow(ctx, f.Browser, f.ID) // it ends by itself too
	}
	p.Token.PasswordAt, p.Token.FactorAt = f.PasswordAt, f.FactorAt
	p.Token.FactorKind, p.Token.Level = f.FactorMethod.Kind(), f.Level()
	if f.SSO != nil && f.SSO.differs(p.Session) {
		return m.movedOn(ctx, c, p, f, at)
	}
	return m.steppedUp(ctx, c, p, at, f.FactorMethod)
}

// differs reports whether what a provider proved anew is another session of
// its than the one that ours is of, or ends before ours.
func (s SSO) differs(of session.Session) bool {
	return of.SSO == nil || *s.Proved != *of.SSO || s.endsBefore(of)
}

// endsBefore reports whether the provider lets nobody stay so long.
func (s SSO) endsBefore(of session.Session) bool {
	return !s.Until.IsZero() && s.Until.Before(of.Expires)
}

// movedOn gives the person a session of the provider's present one in place of
// the session that they had: the provider's logout names that one, and it ends
// with it (SPEC F5, F6).
func (m *Machine) movedOn(ctx context.Context, c Client, p Person, f Flow, at Place) (session.Credential, error) {
	old := p.Session.ID
	if p.Session.SSO = f.SSO.Proved; f.SSO.endsBefore(p.Session) {
		p.Session.Expires = f.SSO.Until
	}
	cred, err := m.replace(ctx, p, at, f.Since)
	if err != nil {
		return session.Credential{}, err
	}
	if err := m.Sessions.EndSession(ctx, old); err != nil {
		return session.Credential{}, err
	}
	e := m.event(c, audit.StepUpPassed, p.Account)
	e.Session = string(cred.ID)
	m.Audit.Record(ctx, e)
	return cred, nil
}

func missingProofs(p Person, in Proofs) []Problem {
	var missing []Problem
	if in.Password.IsZero() {
		missing = append(missing, Problem{Field: "password", Key: "pw.empty"})
	}
	if p.Factors.Protected() && in.Code == "" {
		key := "code.empty"
		if in.Method == account.MethodBackup {
			key = "backup.empty"
		}
		missing = append(missing, Problem{Field: "code", Key: key})
	}
	return missing
}

// BeginStepUp makes the flow that keeps the errors of a confirmation, and
// where to go afterwards.
// kept is what a form held that it comes before, without passwords and codes;
// nil for none.
func (m *Machine) BeginStepUp(ctx context.Context, c Client, p Person, back string, kept map[string]string) (Flow, error) {
	f := m.newFlow(c, StepUp)
	f.Session, f.Return = p.Session.ID, back
	if len(kept) > 0 {
		plain, err := json.Marshal(kept)
		if err != nil {
			return f, err
		}
		if f.Kept, err = m.Keys.Seal(sealKept, []byte(f.ID), plain); err != nil {
			return f, err
		}
	}
	return f, m.Flows.CreateFlow(ctx, f)
}

// sealKept is the context that forms are sealed for, each for its flow: a
// telephone number may be in one.
const sealKept = "form before a confirmation"

// Kept is what the form held that was sent to a page of the settings before the
// person had confirmed that it is them; nil for none.
func (m *Machine) Kept(f Flow) map[string]string {
	plain, err := m.Keys.Open(sealKept, []byte(f.ID), f.Kept)
	if err != nil {
		return nil
	}
	var kept map[string]string
	_ = json.Unmarshal(plain, &kept) // sealed by us: it is one, or nothing is kept
	return kept
}

// StepUpBySSO asks the provider that the session is of for a new proof: it is
// how an account that signs in there confirms a change (SPEC D2).
func (m *Machine) StepUpBySSO(ctx context.Context, p Person, f Flow) (Flow, error) {
	if f.Purpose != StepUp || !f.Of(p) || p.Session.SSO == nil {
		return f, ErrNotNext
	}
	return m.AskProvider(ctx, f, p.Session.SSO.Provider, true)
}

// RefuseStepUp keeps what was wrong for the confirmation page to tell.
func (m *Machine) RefuseStepUp(ctx context.Context, f Flow, k account.Method, problems []Problem) (Flow, error) {
	f.Method = k
	for _, p := range problems {
		if p.counted() {
			f.WrongCodes++
		}
	}
	return m.refuse(ctx, f, problems...)
}
