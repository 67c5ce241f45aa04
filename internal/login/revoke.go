package login

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// revocationsAtOnce bounds one round of Revoke.
const revocationsAtOnce = 100

// Revoke carries out what committed changes left to do: end sessions, tell
// the nodes. Callers run it right after a change; a loop runs it again until
// no row is left, so a store that was away only delays it. Sessions are dead
// meanwhile all the same: Account.SessionsValidFrom is in the durable store.
func (m *Machine) Revoke(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	rows, err := m.Revocations.Revocations(ctx, revocationsAtOnce)
	if err != nil {
		return err
	}
	var done []int64
	var failed error
	for _, r := range rows {
		if err := m.revoke(ctx, r); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		done = append(done, r.ID)
	}
	if len(done) > 0 {
		failed = errors.Join(failed, m.Revocations.Revoked(ctx, done))
	}
	return failed
}

func (m *Machine) revoke(ctx context.Context, r account.Revocation) error {
	if err := m.Sessions.AccountChanged(ctx, r.Account); err != nil {
		return err
	}
	if !r.Sessions {
		return nil
	}
	a, err := m.Accounts.Account(ctx, r.Account)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return err
	}
	deleted := err != nil
	open, err := m.Sessions.SessionsOf(ctx, r.Account)
	if errors.Is(err, session.ErrDamaged) {
		return nil // dead by SessionsValidFrom; a record of nobody's cannot be listed
	}
	if err != nil {
		return err
	}
	for _, s := range open {
		if !deleted && !s.Created.Before(a.SessionsValidFrom) {
			continue // begun after the change
		}
		if err := m.Sessions.EndSession(ctx, s.ID); err != nil {
			return err
		}
	}
	return nil
}
