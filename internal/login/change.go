package login

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Each change here needs a fresh proof (ErrStale otherwise) and ends all of
// the account's sessions; the browser that asked gets a new one.

// BeginEnrol starts adding a method from the security page: an authenticator,
// in place of another one or beside it, or a telephone number, in place of the
// one there is.
func (m *Machine) BeginEnrol(ctx context.Context, c Client, p Person, replaces string) (Flow, error) {
	if err := m.mayChange(p); err != nil {
		return Flow{}, err
	}
	if !p.Factors.Protected() && (m.Settings.EnrolByLink || p.Account.EnrolByLink) {
		return Flow{}, ErrNotAllowed
	}
	if replaces != "" {
		if old, ok := p.Factors.ByID(replaces); !ok || old.Kind != account.KindApp {
			return Flow{}, account.ErrNotFound
		}
	}
	f := m.enrolFlow(c, p)
	f.Replaces = replaces
	return f, m.Flows.CreateFlow(ctx, f)
}

// BeginCodes starts making new backup codes from the security page.
func (m *Machine) BeginCodes(ctx context.Context, c Client, p Person) (Flow, error) {
	if err := m.mayChange(p); err != nil {
		return Flow{}, err
	}
	if !p.Factors.Protected() {
		return Flow{}, ErrNotAllowed
	}
	f := m.enrolFlow(c, p)
	f.CodesWanted = true
	return f, m.Flows.CreateFlow(ctx, f)
}

func (m *Machine) enrolFlow(c Client, p Person) Flow {
	f := m.newFlow(c, Enrol)
	f.Account, f.Session, f.Since = p.Account.ID, p.Session.ID, p.Session.Created
	f.PasswordAt, f.FactorAt = p.Token.PasswordAt, p.Token.FactorAt
	f.Return = "/account/security"
	return f
}

// Renew gives the browser a new session after an Enrol flow added a factor:
// its own was ended with all the others. It returns the flow as it belongs to
// the new session.
func (m *Machine) Renew(ctx context.Context, p Person, f Flow, at Place) (session.Credential, Flow, error) {
	if !f.Of(p) {
		return session.Credential{}, f, ErrNotNext
	}
	p.Token.FactorAt, p.Token.FactorKind, p.Token.Level = f.FactorAt, f.FactorMethod.Kind(), session.LevelSecondFactor
	cred, err := m.replace(ctx, p, at, f.Since)
	if err != nil {
		return cred, f, err
	}
	f.Session = cred.ID
	f, err = m.Flows.SaveFlow(ctx, f)
	return cred, f, err
}

// Of reports whether the flow was begun from the person's session.
func (f Flow) Of(p Person) bool {
	return f.Session != "" && f.Session == p.Session.ID && (f.Account == "" || f.Account == p.Account.ID)
}

// RemoveFactor removes one authenticator. Removing the last one also removes
// the backup codes, and is refused where a rule asks for a second factor.
func (m *Machine) RemoveFactor(ctx context.Context, c Client, p Person, id string, at Place) (session.Credential, error) {
	f, ok := p.Factors.ByID(id)
	if !ok || f.Kind == account.KindBackup {
		return session.Credential{}, account.ErrNotFound
	}
	if m.LastMethod(p.Factors, id) {
		return m.TurnOff(ctx, c, p, at)
	}
	return m.remove(ctx, c, p, at, audit.FactorRemoved, id)
}

// LastMethod reports whether no other method is left without the factor.
func (m *Machine) LastMethod(fs account.Factors, id string) bool {
	for _, f := range fs {
		if f.ID != id && f.Kind != account.KindBackup {
			return false
		}
	}
	return true
}

// TurnOff removes all methods and backup codes, where no rule asks for any.
func (m *Machine) TurnOff(ctx context.Context, c Client, p Person, at Place) (session.Credential, error) {
	if !m.Settings.MayTurnOff {
		return session.Credential{}, ErrNotAllowed
	}
	return m.remove(ctx, c, p, at, audit.SecondFactorOff)
}

func (m *Machine) remove(ctx context.Context, c Client, p Person, at Place, name audit.Name, ids ...string) (session.Credential, error) {
	if err := m.mayChange(p); err != nil {
		return session.Credential{}, err
	}
	e := m.event(c, name, p.Account)
	now := m.since(p.Account)
	err := m.Changer.Since(p.Session.Created).RemoveFactors(ctx, p.Account.ID, ids, now, e)
	switch {
	case errors.Is(err, account.ErrLastMethod): // another one was removed meanwhile
		return session.Credential{}, ErrConflict
	case errors.Is(err, account.ErrEnded):
		return session.Credential{}, session.ErrNotFound
	}
	if err != nil {
		return session.Credential{}, err
	}
	m.Audit.Written(ctx, e)
	_ = m.Revoke(ctx) // rows stay until done; the loop goes on
	m.tellOld(context.WithoutCancel(ctx), c, p.Account, removedPhones(p.Factors, ids), true)
	if name == audit.SecondFactorOff {
		p.Token.Level, p.Token.FactorKind = session.LevelPassword, ""
	}
	return m.replace(ctx, p, at, now)
}

// removedPhones are the phones among the factors with these ids, or all of
// them where ids is empty.
func removedPhones(fs account.Factors, ids []string) (out account.Factors) {
	for _, f := range fs.Of(account.KindPhone) {
		if len(ids) == 0 || slices.Contains(ids, f.ID) {
			out = append(out, f)
		}
	}
	return out
}

// EndSessions signs the account out everywhere, this browser too.
func (m *Machine) EndSessions(ctx context.Context, c Client, p Person) error {
	return m.changeOwn(ctx, p, m.Now(), keepAccount, m.event(c, audit.SessionsEnded, p.Account))
}

// EndOtherSessions signs the account out everywhere but here, and forgets all
// remembered browsers. It returns how many sessions ended; the browser that
// asked gets a new one.
func (m *Machine) EndOtherSessions(ctx context.Context, c Client, p Person, at Place) (session.Credential, int, error) {
	open, err := m.Sessions.SessionsOf(ctx, p.Account.ID)
	if err != nil {
		return session.Credential{}, 0, err
	}
	now := m.since(p.Account)
	if err := m.changeOwn(ctx, p, now, keepAccount, m.event(c, audit.SessionsEndedElsewhere, p.Account)); err != nil {
		return session.Credential{}, 0, err
	}
	cred, err := m.replace(ctx, p, at, now)
	return cred, len(open) - 1, err
}

// keepAccount is for a change that only ends sessions.
func keepAccount(*account.Account) error { return nil }

// changeOwn carries out a change that somebody signed in makes to their account
// and that ends all of its sessions. session.ErrNotFound when theirs had ended.
func (m *Machine) changeOwn(ctx context.Context, p Person, now time.Time, change func(*account.Account) error, e audit.Event) error {
	err := m.Changer.Since(p.Session.Created).ChangeAccount(ctx, p.Account.ID, now, true, change, e)
	return m.changedOwn(ctx, err, e)
}

// changedOwn ends a change that somebody signed in made, with what the store
// said of it: its event is told, and the other nodes are. session.ErrNotFound
// when their session had ended.
func (m *Machine) changedOwn(ctx context.Context, err error, e audit.Event) error {
	if errors.Is(err, account.ErrEnded) {
		return session.ErrNotFound
	}
	if err != nil {
		return err
	}
	m.Audit.Written(ctx, e)
	_ = m.Revoke(ctx) // rows stay until done; the loop goes on
	return nil
}
