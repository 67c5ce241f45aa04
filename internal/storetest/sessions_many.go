package storetest

import (
	"testing"
	"time"

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
