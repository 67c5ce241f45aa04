package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Mails is the suite of e-mails on their way.
func Mails(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"AreWrittenWithTheEvent":                mailWithEvent,
		"AreNotWrittenForARefusedChange":        mailOfRefusedChange,
		"GoToTheAddressOfThatMoment":            mailAddress,
		"AreClaimedByOneNode":                   mailParallel,
		"AreTriedAgainWhenTheyAreDue":           mailAgain,
		"OfANodeThatWentAwayAreUnsure":          mailCrash,
		"CarryOneLinkForEver":                   mailLink,
		"WithALinkEndTheOlderLink":              mailNewLink,
		"KeepTheLinkThatSaysItWasNotMe":         mailNotMe,
		"AreNothingForADisabledOrUnknownPerson": mailNobody,
	})
}

const lease = time.Minute

// eventAt is an event whose mail is due at now: one of the next second, as
// event's may be, would not be.
func eventAt(now time.Time, name audit.Name, a account.ID) audit.Event {
	e := event(name, a)
	e.Time = now
	return e
}

func claim(t *testing.T, s Durable, now time.Time) []account.Mail {
	t.Helper()
	all, err := s.ClaimMails(deadline(t), now, lease, 100)
	must(t, err)
	return all
}

func mailWithEvent(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	e := eventAt(now, audit.FactorAdded, a.ID)
	e.Time, e.Network, e.Browser, e.Method = now, "192.0.2.1", "Firefox on Linux", "app"
	must(t, s.AddFactor(ctx, newApp(a.ID, now), "", now, e))
	must(t, s.Append(ctx, eventAt(now, audit.SignedIn, a.ID), eventAt(now, audit.PasswordWrong, a.ID))) // of no interest
	got := claim(t, s, now)
	if len(got) != 1 || len(got[0].ID) != 26 {
		t.Fatalf("%+v", got)
	}
	wantEqual(t, got[0], account.Mail{
		ID: got[0].ID, Account: a.ID, To: a.Email, About: "factor_added", At: now, Network: "192.0.2.1", Browser: "Firefox on Linux",
		Method: "app", Expires: now.Add(account.MailLife), Tries: 1,
	})
	must(t, s.EndMail(ctx, got[0].ID, eventAt(now, audit.MailSent, a.ID)))
	if left := claim(t, s, now.Add(time.Hour)); len(left) != 0 {
		t.Errorf("sent, and still there: %+v", left)
	}
	wantEvents(t, s, a.ID, audit.MailSent, audit.PasswordWrong, audit.SignedIn, audit.FactorAdded)
}

func mailOfRefusedChange(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	wantErr(t, s.AddFactor(ctx, newApp(a.ID, now), newID(), now, eventAt(now, audit.FactorReplaced, a.ID)), account.ErrNotFound)
	wantErr(t, s.ChangeAccount(ctx, a.ID, now, true, func(*account.Account) error { return errRefused }, eventAt(now, audit.PasswordChanged, a.ID)), errRefused)
	if got := claim(t, s, now.Add(time.Hour)); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// mailAddress: a thief changes the address after the password. The old one is
// told of both.
func mailAddress(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.ChangeAccount(ctx, a.ID, now, true, setPassword("stolen"), eventAt(now, audit.PasswordChanged, a.ID)))
	must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error { a.Email = "thief@example.com"; return nil }))
	must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error { a.Email = ""; return nil }))
	must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error { a.Email = "alice@example.com"; return nil }))
	told := map[string]string{}
	for _, m := range claim(t, s, now) {
		told[m.About+" to "+m.To] = m.About
	}
	wantEqual(t, told, map[string]string{
		"password_changed to alice@example.com": "password_changed",
		"email_changed to alice@example.com":    "email_changed",
		"email_changed to thief@example.com":    "email_changed",
	})
}

func mailParallel(t *testing.T, s Durable) {
	now := start()
	a := withAccount(t, s)
	for range 20 {
		must(t, s.Append(deadline(t), eventAt(now, audit.FactorAdded, a.ID)))
	}
	var ids []string
	for round := 0; len(ids) < 20 && round < 20; round++ { // whoever is in another's way may leave some for later
		got := make([][]account.Mail, 10)
		for _, err := range parallel(len(got), func(i int) (err error) {
			got[i], err = s.ClaimMails(deadline(t), now, lease, 5)
			return err
		}) {
			must(t, err)
		}
		for _, m := range slices.Concat(got...) {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(ids) || len(ids) != 20 {
		t.Errorf("%d mails were claimed, of 20", len(ids))
	}
}

func mailAgain(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.Append(ctx, eventAt(now, audit.FactorAdded, a.ID)))
	m := claim(t, s, now)[0]
	must(t, s.KeepMail(ctx, m.ID, now.Add(10*time.Second), false))
	if early := claim(t, s, now.Add(9*time.Second)); len(early) != 0 {
		t.Errorf("tried again too early: %+v", early)
	}
	again := claim(t, s, now.Add(10*time.Second))
	if len(again) != 1 || again[0].ID != m.ID || again[0].Tries != 2 || again[0].Unsure != 0 {
		t.Fatalf("%+v", again)
	}
	must(t, s.KeepMail(ctx, m.ID, now.Add(time.Minute), true))
	if unsure := claim(t, s, now.Add(time.Minute)); len(unsure) != 1 || unsure[0].Unsure != 1 {
		t.Errorf("%+v", unsure)
	}
}

// mailCrash: a node ends while it hands a mail over; the server may have it.
func mailCrash(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.Append(ctx, eventAt(now, audit.FactorAdded, a.ID)))
	claim(t, s, now)
	if held := claim(t, s, now.Add(lease-time.Second)); len(held) != 0 {
		t.Errorf("claimed while another node has it: %+v", held)
	}
	if got := claim(t, s, now.Add(lease)); len(got) != 1 || got[0].Unsure != 1 || got[0].Tries != 2 {
		t.Errorf("%+v", got)
	}
}

func mailLink(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.Append(ctx, eventAt(now, audit.FactorAdded, a.ID)))
	m := claim(t, s, now)[0]
	l := newLink(a.ID, now)
	l.Purpose, l.About, l.Method, l.Browser, l.Network = account.LinkNotMe, "factor_added", "app", "Firefox on Linux", "192.0.2.1"
	must(t, s.SealMail(ctx, m.ID, []byte("sealed"), l))
	got, err := s.Link(ctx, l.Hash, now)
	must(t, err)
	wantEqual(t, got, l)
	if again := claim(t, s, now.Add(lease)); string(again[0].Sealed) != "sealed" {
		t.Errorf("%+v", again)
	}
	wantErr(t, s.SealMail(ctx, newID(), []byte("sealed"), newLink(a.ID, now)), account.ErrNotFound)
}

func mailNewLink(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	reset := func() (account.Link, account.Mail) {
		l := newLink(a.ID, now)
		l.Purpose = account.LinkReset
		return l, account.Mail{ID: newID(), Account: a.ID, To: a.Email, About: "recovery_asked", At: now, Sealed: []byte("x"), Expires: l.Expires}
	}
	first, m := reset()
	must(t, s.MailLink(ctx, first, m, eventAt(now, audit.RecoveryAsked, a.ID)))
	second, other := reset()
	must(t, s.MailLink(ctx, second, other))
	_, err := s.Link(ctx, first.Hash, now)
	wantErr(t, err, account.ErrNotFound)
	if got := claim(t, s, now); len(got) != 2 {
		t.Errorf("%+v", got)
	}
	wantEvents(t, s, a.ID, audit.RecoveryAsked)
	// A password that is chosen elsewhere ends it.
	must(t, s.ChangeAccount(ctx, a.ID, now, true, func(a *account.Account) error { a.PasswordChanged = now.Add(time.Second); return nil }))
	_, err = s.Link(ctx, second.Hash, now)
	wantErr(t, err, account.ErrNotFound)
}

// mailNotMe: a thief who has one link must not take the owner's way to say so.
func mailNotMe(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	setUp, notMe := newLink(a.ID, now), newLink(a.ID, now)
	notMe.Purpose = account.LinkNotMe
	must(t, s.CreateLink(ctx, notMe))
	must(t, s.CreateLink(ctx, setUp))
	_, err := s.UseLink(ctx, setUp.Hash, now, setPassword("chosen"))
	must(t, err)
	_, err = s.UseLink(ctx, notMe.Hash, now, func(a *account.Account) error { a.Locked = now; return nil }, eventAt(now, audit.AccountLocked, a.ID))
	must(t, err)
	locked := wantAccount(t, s, a.ID, 3, now)
	if !locked.Locked.Equal(now) {
		t.Errorf("locked at %s", locked.Locked)
	}
}

func mailNobody(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	m := account.Mail{ID: newID(), Account: a.ID, To: a.Email, About: "recovery_asked", At: now, Expires: now.Add(time.Hour)}
	must(t, s.ChangeAccount(ctx, a.ID, now, true, func(a *account.Account) error { a.Disabled = true; return nil }))
	wantErr(t, s.MailLink(ctx, newLink(a.ID, now), m), account.ErrNotFound)
	silent := newAccount("bob", now)
	silent.Email = ""
	must(t, s.CreateAccount(ctx, silent))
	must(t, s.Append(ctx, eventAt(now, audit.FactorAdded, silent.ID), eventAt(now, audit.FactorAdded, "nobody")))
	if got := claim(t, s, now.Add(time.Hour)); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
