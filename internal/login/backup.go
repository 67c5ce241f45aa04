package login

import (
	"context"
	"errors"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// pepperBackup is the context that backup codes are peppered in.
const pepperBackup = "backup codes"

// proveBackup hashes the code once, through the same gate as passwords, and
// spends it by its hash in one statement. A used code reads like a wrong one.
func (m *Machine) proveBackup(ctx context.Context, c Client, a account.Account, fs account.Factors, typed string) (*Problem, *Notice, error) {
	if typed == "" {
		return &Problem{Field: "code", Key: "backup.empty"}, nil, nil
	}
	wrong := &Problem{Field: "code", Key: "backup.wrong"}
	sets := fs.Of(account.KindBackup)
	if len(sets) == 0 {
		return wrong, nil, m.TakeForm(ctx, c)
	}
	counter := m.factorCount(a.ID, account.KindBackup)
	taken, err := m.take(ctx, []count{counter})
	if err != nil {
		return nil, nil, m.limited(ctx, c, a, a.Name, err)
	}
	wrong.Left = taken.left()
	hash, err := m.hashBackup(ctx, c, a, sets[0], typed)
	if err != nil {
		m.giveBack(ctx, taken)
		return nil, nil, err
	}
	now := m.Now()
	var events []audit.Event
	ctx = context.WithoutCancel(ctx) // as with an authenticator's code
	set, spent, err := m.Prover.SpendBackupCode(ctx, a.ID, sets[0].ID, hash, m.Settings.Limits.FactorHard, now,
		func(set account.Factor, spent bool) []audit.Event {
			events = m.backupEvents(c, a, sets[0], set, spent)
			return events
		})
	if errors.Is(err, account.ErrNotFound) { // replaced meanwhile: an old code
		return wrong, nil, nil
	}
	if err != nil {
		m.giveBack(ctx, taken)
		return nil, nil, err
	}
	m.Audit.Written(ctx, events...)
	if !spent {
		m.tooWrong(ctx, c, a, account.KindBackup, taken.filled())
		return wrong, nil, nil
	}
	return nil, &Notice{Kind: "warning", Key: "notice.backupused", Count: set.Left}, m.Limiter.Clear(ctx, counter.key)
}

// hashBackup hashes what was typed under the set's salt. For something that
// can't be a code another one is hashed, so that it takes the same time, and
// the result fits none.
func (m *Machine) hashBackup(ctx context.Context, c Client, a account.Account, set account.Factor, typed string) ([32]byte, error) {
	none := [32]byte{}
	pepper, err := m.Keys.Pepper(pepperBackup, set.Pepper)
	if err != nil {
		return none, err
	}
	code, malformed := factor.NormaliseBackupCode(typed)
	if malformed != nil {
		code = secret.New(strings.Repeat("0", factor.BackupCodeRunes))
	}
	leave, err := m.Gate.Enter(ctx, c.Network, c.Knows(a))
	if err != nil {
		return none, err
	}
	defer leave()
	sum, err := factor.HashBackupCode(code, set.Salt, pepper)
	if err != nil || malformed != nil {
		return none, err
	}
	return [32]byte(sum), nil
}

func (m *Machine) backupEvents(c Client, a account.Account, before, after account.Factor, spent bool) []audit.Event {
	if spent {
		return []audit.Event{m.factorEvent(c, audit.BackupCodeUsed, a, account.KindBackup)}
	}
	events := []audit.Event{m.factorEvent(c, audit.FactorWrong, a, account.KindBackup)}
	if after.Locked && !before.Locked {
		events = append(events, m.factorEvent(c, audit.FactorLocked, a, account.KindBackup))
	}
	return events
}
