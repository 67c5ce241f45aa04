package login

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// sealCodes is the context that unsaved backup codes are sealed for.
const sealCodes = "unsaved backup codes"

// ShowCodes returns the backup codes that the flow's page shows, making them
// where there are none yet. Until they are saved the same browser is shown the
// same codes for 30 minutes, in a new sign-in too.
func (m *Machine) ShowCodes(ctx context.Context, f Flow) (Flow, []string, error) {
	_, fs, err := m.Holder(ctx, f)
	if err != nil {
		return f, nil, err
	}
	if m.Next(f, fs) != StepSaveCodes {
		return f, nil, ErrNotNext
	}
	if len(f.Codes) > 0 && m.Now().Before(f.CodesExpire) {
		codes, err := m.openCodes(f)
		return f, codes, err
	}
	if !f.CodesWanted {
		if f, codes, err := m.adoptCodes(ctx, f); err != nil || codes != nil {
			return f, codes, err
		}
	}
	codes := reveal(factor.NewBackupCodes())
	plain, err := json.Marshal(codes)
	if err != nil {
		return f, nil, err
	}
	if f.Codes, err = m.Keys.Seal(sealCodes, []byte(f.Account), plain); err != nil {
		return f, nil, err
	}
	f.CodesSet, f.CodesExpire = NewID(), m.Now().Add(PendingLife)
	f, err = m.advance(ctx, f)
	return f, codes, err
}

// adoptCodes takes over unsaved codes of this account from another flow of
// the same browser.
func (m *Machine) adoptCodes(ctx context.Context, f Flow) (Flow, []string, error) {
	flows, err := m.Flows.FlowsOf(ctx, f.Browser, m.Now())
	if errors.Is(err, session.ErrDamaged) { // fresh codes then
		return f, nil, nil
	}
	if err != nil {
		return f, nil, err
	}
	for _, other := range flows {
		// Codes that replace a set belong to their flow alone: saved by two
		// flows, a spent one would be good again.
		if other.ID == f.ID || other.Account != f.Account || other.CodesWanted || len(other.Codes) == 0 || !m.Now().Before(other.CodesExpire) {
			continue
		}
		f.Codes, f.CodesSet, f.CodesExpire = other.Codes, other.CodesSet, other.CodesExpire
		f, err := m.advance(ctx, f)
		if err != nil {
			return f, nil, err
		}
		codes, err := m.openCodes(f)
		return f, codes, err
	}
	return f, nil, nil
}

func (m *Machine) openCodes(f Flow) ([]string, error) {
	plain, err := m.Keys.Open(sealCodes, []byte(f.Account), f.Codes)
	if err != nil {
		return nil, err
	}
	var codes []string
	return codes, json.Unmarshal(plain, &codes)
}

// SaveCodes makes the shown codes the account's set, once the person ticked
// that they are saved. The old set dies in the same transaction.
func (m *Machine) SaveCodes(ctx context.Context, c Client, f Flow, saved bool) (Flow, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return f, err
	}
	if m.Next(f, fs) != StepSaveCodes || len(f.Codes) == 0 || !m.Now().Before(f.CodesExpire) {
		return f, ErrNotNext
	}
	if !saved {
		return m.refuse(ctx, f, Problem{Field: "saved", Key: "saved.empty"})
	}
	codes, err := m.openCodes(f)
	if err != nil {
		return f, err
	}
	set, hashes, err := m.hashSet(ctx, c, a, f.CodesSet, codes)
	if err != nil {
		return f, err
	}
	_, had := fs.BackupLeft()
	made, done := audit.BackupCodesMade, "notice.setupdone"
	if had {
		made, done = audit.BackupCodesRenewed, "notice.codessaved"
	}
	e := m.event(c, made, a)
	err = m.Changer.Since(f.Since).ReplaceBackupCodes(ctx, set, hashes, m.Now(), e)
	switch {
	case errors.Is(err, account.ErrTaken): // saved by an equal submission
		return f, ErrConflict
	case errors.Is(err, account.ErrEnded):
		return f, ErrNoFlow
	}
	if err != nil {
		return f, err
	}
	m.Audit.Written(ctx, e)
	_ = m.Revoke(ctx) // rows stay until done; the loop goes on
	f.Codes, f.CodesWanted = nil, false
	if f.Purpose == Enrol && f.Added == "" { // what this flow was begun for
		f.Added = set.ID
	}
	f = m.tell(f, Notice{Kind: "success", Key: done})
	return m.advance(ctx, f)
}

// hashSet hashes a set's codes under one fresh salt.
func (m *Machine) hashSet(ctx context.Context, c Client, a account.Account, id string, codes []string) (account.Factor, [][32]byte, error) {
	version, pepper := m.Keys.ActivePepper(pepperBackup)
	set := account.Factor{
		ID: id, Account: a.ID, Kind: account.KindBackup,
		Created: m.Now(), Salt: factor.NewBackupSalt(), Pepper: version, Left: len(codes),
	}
	leave, err := m.Gate.Enter(ctx, c.Network, true)
	if err != nil {
		return set, nil, err
	}
	defer leave()
	hashes := make([][32]byte, len(codes))
	for i, code := range codes {
		plain, err := factor.NormaliseBackupCode(code)
		if err != nil {
			return set, nil, errors.New("a made backup code is not one")
		}
		sum, err := factor.HashBackupCode(plain, set.Salt, pepper)
		if err != nil {
			return set, nil, err
		}
		hashes[i] = [32]byte(sum)
	}
	return set, hashes, nil
}

// OfferedCodes answers the question put to somebody with no backup codes left.
func (m *Machine) OfferedCodes(ctx context.Context, f Flow, want bool) (Flow, error) {
	_, fs, err := m.Holder(ctx, f)
	if err != nil {
		return f, err
	}
	if m.Next(f, fs) != StepOfferCodes {
		return f, ErrNotNext
	}
	f.CodesWanted, f.SkippedCodes = want, !want
	f.Problems, f.Notices = nil, nil
	return m.advance(ctx, f)
}

// reveal gives the texts that the page shows and the flow seals.
func reveal(codes []secret.Text) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = c.Reveal()
	}
	return out
}
