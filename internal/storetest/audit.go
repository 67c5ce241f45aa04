package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Revocations is the suite of the work that is left after changes.
func Revocations(t *testing.T, open func(t *testing.T) Durable) {
	t.Run("AreListedOldestFirstUntilDone", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), deadline(t)
		a := withAccount(t, s)
		for i := range 5 {
			must(t, s.ChangeAccount(ctx, a.ID, start(), i%2 == 0, func(*account.Account) error { return nil }))
		}
		first, err := s.Revocations(ctx, 2)
		must(t, err)
		if len(first) != 2 || first[0].ID >= first[1].ID || !first[0].Sessions || first[1].Sessions {
			t.Fatalf("%+v", first)
		}
		must(t, s.Revoked(ctx, []int64{first[0].ID, first[1].ID}))
		must(t, s.Revoked(ctx, []int64{first[0].ID})) // another node was faster
		must(t, s.Revoked(ctx, nil))
		wantRevocations(t, s, a.ID, true, false, true)
		wantRevocations(t, s, a.ID)
	})
}

// Audit is the suite of audit.Writer.
func Audit(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"ComesBackNewestFirst":         auditComesBack,
		"HostileTextsAreWritten":       auditHostile,
		"ParallelEventsAreAllWritten":  auditParallel,
		"StaysWithoutItsChangeUndone":  auditWithChange,
		"NothingIsWrittenForNoEvents":  func(t *testing.T, s Durable) { must(t, s.Append(deadline(t))) },
		"UnknownAccountsEventsAreKept": auditUnknown,
	})
}

func auditComesBack(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	var full audit.Event
	fill(reflect.ValueOf(&full).Elem(), now)
	full.Account = newID()
	later := audit.Event{Time: now.Add(time.Second), Name: audit.SignedOut, Account: full.Account}
	sameTime := audit.Event{Time: now, Name: audit.SignedIn, Account: full.Account}
	must(t, s.Append(ctx, later, full, sameTime))
	got, err := s.EventsOf(ctx, full.Account)
	must(t, err)
	wantEqual(t, got, []audit.Event{later, sameTime, full})
}

// What a client sends must not be able to keep its refusal out of the audit.
func auditHostile(t *testing.T, s Durable) {
	ctx, id := deadline(t), newID()
	e := audit.Event{
		Time: start(), Name: audit.PasswordWrong, Account: id, Subject: "a\x00b\xff'; DROP TABLE audit; --",
		Browser: string(make([]byte, 100_000)), Reason: "\xf0\x28\x8c\x28",
	}
	must(t, s.Append(ctx, e))
	got, err := s.EventsOf(ctx, id)
	must(t, err)
	if len(got) != 1 || got[0].Subject != "a\uFFFDb\uFFFD'; DROP TABLE audit; --" || len(got[0].Browser) > 4096 {
		t.Fatalf("%.200q", fmt.Sprint(got))
	}
}

func auditParallel(t *testing.T, s Durable) {
	id := account.ID(newID())
	const n = 50
	for _, err := range parallel(n, func(int) error {
		return s.Append(deadline(t), event(audit.PasswordWrong, id), event(audit.LimitHit, id))
	}) {
		must(t, err)
	}
	got, err := s.EventsOf(deadline(t), string(id))
	must(t, err)
	wantEqual(t, len(got), 2*n)
}

func auditWithChange(t *testing.T, s Durable) {
	ctx := deadline(t)
	a := withAccount(t, s)
	b := newAccount("bob", start())
	b.Email = a.Email
	err := s.CreateAccount(ctx, b, event(audit.AccountAdded, b.ID))
	if !errors.Is(err, account.ErrTaken) {
		t.Fatal(err)
	}
	wantEvents(t, s, b.ID)
	b.Email = ""
	must(t, s.CreateAccount(ctx, b, event(audit.AccountAdded, b.ID)))
	wantEvents(t, s, b.ID, audit.AccountAdded)
}

func auditUnknown(t *testing.T, s Durable) {
	id := newAccountID()
	must(t, s.Append(deadline(t), event(audit.PasswordWrong, id)))
	wantEvents(t, s, id, audit.PasswordWrong)
}
