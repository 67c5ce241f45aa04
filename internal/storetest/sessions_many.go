package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// sessionsOfIDs is the suite of session.Sessions' reading of several at once: it
// finds what reading them one by one does, each at its place.
func sessionsOfIDs(t *testing.T, l login.Sessions) {
	s, ok := l.(interface {
		session.Sessions
		session.Activity
	})
	if !ok {
		t.Fatalf("%T does not read several at once", l)
	}
	ctx, now := deadline(t), start()
	var ids []session.ID
	for i := range 5 {
		v := newSession(newAccountID(), now)
		must(t, l.CreateSession(ctx, v))
		if i%2 == 0 {
			must(t, s.Touch(ctx, v.ID, now.Add(time.Duration(i)*time.Minute), time.Hour))
		}
		ids = append(ids, v.ID)
	}
	must(t, l.EndSession(ctx, ids[1]))
	ids = append(ids, newSessionID(), ids[0], "", "no {id}")
	found, err := s.SessionsOfIDs(ctx, ids)
	must(t, err)
	if len(found) != len(ids) {
		t.Fatalf("%d for %d", len(found), len(ids))
	}
	for i, id := range ids {
		want, err := s.Session(ctx, id)
		if err != nil {
			wantErr(t, err, session.ErrNotFound)
			wantErr(t, found[i].Err, session.ErrNotFound)
			continue
		}
		must(t, found[i].Err)
		wantEqual(t, found[i].Session, want)
	}
	none, err := s.SessionsOfIDs(ctx, nil)
	must(t, err)
	if len(none) != 0 {
		t.Errorf("%d for none", len(none))
	}
}

// sessionsOfAccounts lists what one list after the other does, also of accounts
// that have none or very many.
func sessionsOfAccounts(t *testing.T, s login.Sessions) {
	ctx, now := deadline(t), start()
	many := s.(interface {
		SessionsOfAccounts(ctx context.Context, ids []account.ID) ([]session.Listed, error)
	})
	var ids []account.ID
	for _, n := range []int{3, 0, 250, 1} {
		id := newAccountID()
		ids = append(ids, id)
		for i := range n {
			must(t, s.CreateSession(ctx, newSession(id, now.Add(time.Duration(i)*time.Second))))
		}
	}
	must(t, s.CreateSession(ctx, newSession(newAccountID(), now))) // nobody asks for it
	three, err := s.SessionsOf(ctx, ids[0])
	must(t, err)
	must(t, s.(session.Activity).Touch(ctx, three[1].ID, now.Add(time.Minute), time.Hour))
	found, err := many.SessionsOfAccounts(ctx, ids)
	must(t, err)
	var want []session.Listed
	for _, id := range ids {
		all, err := s.SessionsOf(ctx, id)
		must(t, err)
		want = append(want, session.Listed{Sessions: all})
	}
	if n := len(found[2].Sessions); n != 250 || found[0].Sessions[1].LastUsed.IsZero() {
		t.Errorf("%d of 250, %+v", n, found[0])
	}
	wantEqual(t, found, want)
	none, err := many.SessionsOfAccounts(ctx, nil)
	must(t, err)
	if len(none) != 0 {
		t.Errorf("%d for none", len(none))
	}
}
