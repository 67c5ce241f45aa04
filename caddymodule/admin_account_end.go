package caddymodule

import (
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// disableAccount shuts somebody out at once: sessions, half-finished sign-ins
// and links end with it (SECURITY T38).
func disableAccount(o *operation, said namedArguments) (any, error) {
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	shown, err := o.change(a, true, audit.AccountDisabled, func(a *account.Account) error {
		a.Disabled = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	// A link opens nothing while the account is disabled; without this it
	// would again afterwards.
	return shown, o.engine.durable.EndLinks(o.ctx, a.ID)
}

func enableAccount(o *operation, said namedArguments) (any, error) {
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	return o.change(a, false, audit.AccountEnabled, func(a *account.Account) error {
		a.Disabled = false
		return nil
	})
}

// deleteAccount removes the account for good. Its name is never used again.
func deleteAccount(o *operation, said namedArguments) (any, error) {
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	e := o.event(audit.AccountDeleted, a)
	if err := o.engine.durable.DeleteAccount(o.ctx, a.ID, e); err != nil {
		return nil, err
	}
	o.done(e)
	return changed{Account: o.view(a)}, nil
}

// resetSecondFactor is for somebody who lost device and codes (SPEC I2): all
// factors go, sessions end, and a link lets the person enrol anew after the
// password.
func resetSecondFactor(o *operation, said namedArguments) (any, error) {
	a, err := o.canTakeLink(said.Account)
	if err != nil {
		return nil, err
	}
	e := o.event(audit.SecondFactorReset, a)
	// First, so that nobody who merely knows the password is faster than the
	// link.
	byLink := func(a *account.Account) error { a.EnrolByLink = true; return nil }
	if err := o.engine.durable.ChangeAccount(o.ctx, a.ID, o.now, true, byLink, e); err != nil {
		return nil, err
	}
	err = o.engine.durable.RemoveFactors(o.ctx, a.ID, nil, o.now)
	if err != nil && !errors.Is(err, account.ErrNotFound) { // none: a lost link, perhaps
		return nil, err
	}
	o.done(e)
	if !a.Locked.IsZero() {
		o.warn(a.Name + " is locked, because its owner said \"This wasn't me\": it needs a new password before that link helps, by \"I've forgotten my password\" or `sallyport account set-up-link " + a.Name + "`")
	}
	// An older set-up link would let its holder past the password.
	if err := o.engine.durable.EndLinks(o.ctx, a.ID); err != nil {
		return nil, err
	}
	return o.showLink(a, account.LinkEnrol)
}

// unlockAccount forgets wrong passwords and codes, and opens locked factors.
func unlockAccount(o *operation, said namedArguments) (any, error) {
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	if !a.Locked.IsZero() && o.signsInAt(a) != "" { // all that there is to open
		if err := o.liftLock(a); err != nil {
			return nil, err
		}
		return o.show(a.ID)
	}
	if err := o.here(a); err != nil {
		return nil, err
	}
	e := o.event(audit.AccountUnlocked, a)
	if err := o.engine.durable.UnlockFactors(o.ctx, a.ID, e); err != nil {
		return nil, err
	}
	o.done(e)
	if err := o.liftLock(a); err != nil {
		return nil, err
	}
	networks, err := o.failedFrom(a)
	if err != nil {
		return nil, err
	}
	if err := o.app.machine.ClearLimits(o.ctx, a.ID, networks); err != nil {
		return nil, err
	}
	return o.show(a.ID)
}

// liftLock opens an account whose owner said "This wasn't me". No session that
// began before goes on with it.
func (o *operation) liftLock(a account.Account) error {
	if a.Locked.IsZero() {
		return nil
	}
	e := o.event(audit.LockLifted, a)
	open := func(a *account.Account) error { a.Locked = time.Time{}; return nil }
	if err := o.engine.durable.ChangeAccount(o.ctx, a.ID, o.now, true, open, e); err != nil {
		return err
	}
	o.done(e)
	if o.signsInAt(a) == "" {
		o.warn("its password is the one of before: if somebody else knows it, make a set-up link")
	}
	return nil
}

// failedFrom lists the networks whose wrong passwords for the account may
// still count: a counter can only be cleared by its full name.
func (o *operation) failedFrom(a account.Account) (networks []string, err error) {
	l := o.app.machine.Settings.Limits
	since := o.now.Add(-max(l.PasswordAccount.Window, l.PasswordUnknown.Window) - time.Minute)
	events, err := o.engine.durable.Events(o.ctx, sqlstore.EventFilter{
		Account: string(a.ID), Name: audit.PasswordWrong, Since: since, Limit: 1000,
	})
	seen := map[string]bool{"": true}
	for _, e := range events {
		if !seen[e.Network] {
			seen[e.Network] = true
			networks = append(networks, e.Network)
		}
	}
	return networks, err
}
