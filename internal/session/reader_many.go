package session

import (
	"context"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// Loaded is what the stores make of one key, as Load gives it.
type Loaded struct {
	Entry *Entry
	Err   error
}

// ReadMany is Read for several keys at once, with one read of each store for all
// of them: most of what a read costs it costs once. What it gives for a key is
// at the key's place.
func (r *Reader) ReadMany(ctx context.Context, keys []Key) []Loaded {
	all := make([]Loaded, len(keys))
	creds := make([]Credential, len(keys))
	var ids []ID
	for i, k := range keys {
		if creds[i], all[i].Err = r.credential(k); all[i].Err == nil {
			ids = append(ids, creds[i].ID)
		}
	}
	if len(ids) == 0 {
		return all
	}
	now := r.Now()
	found, err := r.Sessions.SessionsOfIDs(ctx, ids)
	if err != nil {
		return r.readEach(ctx, keys)
	}
	sessions := make([]Session, len(keys))
	var owners []account.ID
	for i := range keys {
		if all[i].Err != nil {
			continue
		}
		sessions[i], all[i].Err = r.believable(ctx, creds[i].ID, found[0])
		found = found[1:]
		if all[i].Err == nil && !slices.Contains(owners, sessions[i].Account) {
			owners = append(owners, sessions[i].Account)
		}
	}
	accounts, err := r.Accounts.AccountsOfIDs(ctx, owners)
	if err != nil {
		return r.readEach(ctx, keys)
	}
	for i, k := range keys {
		if all[i].Err != nil {
			continue
		}
		a, ok := accounts[sessions[i].Account]
		if !ok {
			all[i].Err = ErrNotFound
			continue
		}
		all[i].Entry, all[i].Err = r.entry(ctx, k, creds[i], sessions[i], a, now)
	}
	return all
}

// readEach reads one after the other, when one that cannot be read stands
// in the way of all.
func (r *Reader) readEach(ctx context.Context, keys []Key) []Loaded {
	all := make([]Loaded, len(keys))
	for i, k := range keys {
		all[i].Entry, all[i].Err = r.Read(ctx, k)
	}
	return all
}
