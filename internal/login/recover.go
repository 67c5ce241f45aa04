package login

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// ResetLinkLife is how long the link of a forgotten password works (SPEC I1).
const ResetLinkLife = 15 * time.Minute

// sealMail is the context that tokens in e-mails are sealed for, each for its
// mail's id.
const sealMail = "token in an e-mail"

// AskRecovery sends a link for a new password to the address of whoever has
// this name or address, if there is anybody who may use it. What it returns
// says nothing about that, and neither does what it counts where somebody is
// told: an identifier without account has the same limits (SECURITY R35, ASVS
// 5.0 6.3.8). The problem is for what was typed.
func (m *Machine) AskRecovery(ctx context.Context, c Client, typed string) (*Problem, error) {
	identifier := account.NormaliseIdentifier(typed)
	if identifier == "" {
		return &Problem{Field: "username", Key: "id.empty"}, nil
	}
	a, found, err := m.lookUp(ctx, identifier)
	if err != nil {
		return nil, err
	}
	known := found && c.Knows(a)
	if _, err := m.take(ctx, m.recoveryCounts(c, identifier, known)); err != nil {
		return nil, m.limited(ctx, c, a, clip(identifier), err)
	}
	if found && !known {
		// Of both of its identifiers together. It must not show: two that share
		// a counter would be one person's.
		_, err := m.take(ctx, []count{m.recoveryCount(string(a.ID))})
		if l := (*Limited)(nil); errors.As(m.limited(ctx, c, a, "", err), &l) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	if why := m.cannotRecover(a, found); why != "" {
		m.noRecovery(ctx, c, a, identifier, why)
		return nil, nil
	}
	return nil, m.mailReset(ctx, c, a)
}

// recoveryCounts are the counters of one request for a link that whoever asks
// is told of. A known browser has one of its own and no other (SPEC G2).
func (m *Machine) recoveryCounts(c Client, identifier string, known bool) []count {
	if known {
		return []count{m.recoveryCount("device:" + c.Device.ID)}
	}
	// Hashed: what is typed is as long as a form, and in the form of a key.
	counts := []count{
		m.recoveryCount(fmt.Sprintf("identifier:%x", sha256.Sum256([]byte(identifier)))),
		{limitRecovery, "recover:network:" + c.Network, m.Settings.Limits.SendNetwork},
	}
	return append(counts, wide(c, limitRecovery, "recover:network:", m.Settings.Limits.SendNetwork)...)
}

// recoveryCount has the number of codes that are sent, since both cost somebody
// else a message.
func (m *Machine) recoveryCount(subject string) count {
	return count{limitRecovery, "recover:" + subject, Limit{N: m.Settings.Limits.SendHour, Window: time.Hour}}
}

// cannotRecover says, for the operator, why somebody gets no link; "" for who
// does. Locked accounts do: a new password is how they are opened again.
func (m *Machine) cannotRecover(a account.Account, found bool) string {
	switch {
	case !found:
		return "no such account"
	case a.Disabled:
		return "disabled"
	case !m.Settings.SignsInHere(a):
		return "managed by " + m.Settings.ManagedBy(a)
	case a.Email == "":
		return "no e-mail address"
	}
	return ""
}

// noRecovery tells the operator why there is no link and, by an e-mail that the
// store writes with the event, whoever has their password elsewhere.
func (m *Machine) noRecovery(ctx context.Context, c Client, a account.Account, identifier, why string) {
	e := m.event(c, audit.RecoveryAsked, a)
	e.Reason = why
	if a.ID == "" {
		e.Subject = clip(identifier)
	}
	if a.ID != "" && !a.Disabled && !m.Settings.SignsInHere(a) {
		e.Name = audit.RecoveryElsewhere
	}
	m.Audit.Record(ctx, e)
}

func (m *Machine) mailReset(ctx context.Context, c Client, a account.Account) error {
	now, id, token := m.Now(), NewID(), secret.Token(32).Reveal()
	sealed, err := SealMailToken(m.Keys, id, token)
	if err != nil {
		return err
	}
	e := m.event(c, audit.RecoveryAsked, a)
	err = m.Mails.MailLink(ctx,
		account.Link{Hash: LinkHash(token), Account: a.ID, Purpose: account.LinkReset, Created: now, Expires: now.Add(ResetLinkLife)},
		account.Mail{
			ID: id, Account: a.ID, To: a.Email, About: string(audit.RecoveryAsked), At: now,
			Browser: c.agent(), Network: c.Network, Sealed: sealed, Expires: now.Add(ResetLinkLife),
		}, e)
	if errors.Is(err, account.ErrNotFound) { // disabled meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	m.Audit.Written(ctx, e)
	return nil
}

// SealMailToken seals the token of a link for the mail with that id, and
// OpenMailToken opens it.
func SealMailToken(k Keys, mail, token string) ([]byte, error) {
	return k.Seal(sealMail, []byte(mail), []byte(token))
}

// OpenMailToken opens what SealMailToken sealed.
func OpenMailToken(k Keys, mail string, sealed []byte) (string, error) {
	token, err := k.Open(sealMail, []byte(mail), sealed)
	return string(token), err
}

// ResetPassword spends the link of a forgotten password. It signs nobody in and
// touches no second factor (SECURITY R34): the flow that it returns is a
// sign-in at its beginning, with the name filled in. The problem says why a
// password is refused; the link is unspent then.
func (m *Machine) ResetPassword(ctx context.Context, c Client, token string, pw secret.Text) (Flow, *Problem, error) {
	a, l, err := m.LinkHolder(ctx, token)
	if err == nil && l.Purpose != account.LinkReset {
		err = account.ErrNotFound
	}
	if err != nil {
		return Flow{}, nil, err
	}
	if pw.IsZero() {
		return Flow{}, &Problem{Field: "password", Key: "pw.newempty"}, nil
	}
	if problem := m.checkNew(a, pw); problem != nil {
		return Flow{}, problem, nil
	}
	if _, err := m.chooseByLink(ctx, c, a, token, pw, audit.RecoveryUsed); err != nil {
		return Flow{}, nil, err
	}
	// Whoever forgot it has tried often. The second factor's counters stay.
	for _, counter := range m.passwordCounts(c, string(a.ID), false)[:2] {
		_ = m.Limiter.Clear(ctx, counter.key)
	}
	f := m.newFlow(c, SignIn)
	f.Identifier, f.Needs = a.Label(), m.Settings.PortalNeeds
	f.Notices = []Notice{{Kind: "success", Key: "notice.passwordset"}}
	return f, nil, m.Flows.CreateFlow(ctx, f)
}

// chooseByLink spends a link for a new password.
func (m *Machine) chooseByLink(ctx context.Context, c Client, a account.Account, token string, pw secret.Text, used audit.Name) (account.Account, error) {
	hash, err := m.hashNew(ctx, c, pw)
	if err != nil {
		return a, err
	}
	now := m.since(a)
	events := []audit.Event{m.event(c, used, a), m.event(c, audit.PasswordChosen, a)}
	if !a.PasswordHash.IsZero() {
		events[1].Name = audit.PasswordChanged
	}
	if !a.Locked.IsZero() {
		events = append(events, m.event(c, audit.LockLifted, a))
	}
	a, err = m.Links.UseLink(ctx, LinkHash(token), now, choose(hash, now), events...)
	if err != nil {
		return a, err
	}
	m.Audit.Written(ctx, events...)
	_ = m.Revoke(ctx) // rows stay until done; the loop goes on
	return a, nil
}
