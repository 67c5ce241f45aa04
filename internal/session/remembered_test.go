package session_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// made reads every key as a session and an account of their own choice.
type made func(k session.Key) *session.Entry

func (m made) Read(_ context.Context, k session.Key) (*session.Entry, error) { return m(k), nil }

func (m made) ReadMany(_ context.Context, keys []session.Key) []session.Loaded {
	var all []session.Loaded
	for _, k := range keys {
		all = append(all, session.Loaded{Entry: m(k)})
	}
	return all
}

// TestChangesReachTheirEntriesAndNoOthers: whatever was remembered, forgotten,
// displaced and renewed before, a change of a session or an account makes the
// cache forget exactly what it is about.
func TestChangesReachTheirEntriesAndNoOthers(t *testing.T) {
	t.Parallel()
	const keys, sessions, accounts, most = 60, 20, 6, 50
	sessionOf := func(n int) session.ID { return session.ID(fmt.Sprint("s", n%sessions)) }
	accountOf := func(n int) account.ID { return account.ID(fmt.Sprint("a", n%sessions%accounts)) }
	numbered := func(n int) session.Key { return key(fmt.Sprint(n)) }
	now := noon
	c := session.NewCache(made(func(k session.Key) *session.Entry {
		var n int
		_, _ = fmt.Sscan(k.Cookie, &n)
		return &session.Entry{Session: sessionOf(n), Account: account.Account{ID: accountOf(n)}, Expires: now.Add(time.Hour), Idle: time.Hour, Known: now}
	}), func() time.Time { return now }, most)
	c.Live(true)
	r := rand.New(rand.NewPCG(3, 4))
	for step := range 20_000 {
		var before [keys]bool
		for n := range before {
			before[n] = c.Knows(numbered(n))
		}
		gone := func(int) bool { return false }
		switch at := r.IntN(keys); r.IntN(8) {
		case 0:
			c.SessionChanged(sessionOf(at))
			gone = func(n int) bool { return sessionOf(n) == sessionOf(at) }
		case 1:
			c.AccountChanged(accountOf(at))
			gone = func(n int) bool { return accountOf(n) == accountOf(at) }
		case 2:
			now = now.Add(session.MaxAge) // what is remembered is read anew
		default:
			if e, err := c.Get(t.Context(), numbered(at)); err != nil || e.Session != sessionOf(at) || e.Account.ID != accountOf(at) {
				t.Fatalf("step %d: %+v, %v", step, e, err)
			}
			before[at] = true
		}
		lost, all := 0, 0
		for n := range before {
			switch knows := c.Knows(numbered(n)); {
			case knows && (gone(n) || !before[n]):
				t.Fatalf("step %d: %d is remembered", step, n)
			case !knows && before[n] && !gone(n):
				lost++
			case knows:
				all++
			}
		}
		if _, _, entries := c.Stats(); entries != all || lost > 1 || lost == 1 && all != most {
			t.Fatalf("step %d: %d remembered, %d counted, %d lost", step, all, entries, lost)
		}
	}
}

// TestChangedEntriesAreNotConfirmed: a field that the comparison forgot would be
// one whose changes a node learns of only when a session was not used for a
// while.
func TestChangedEntriesAreNotConfirmed(t *testing.T) {
	t.Parallel()
	read := func() *session.Entry {
		return &session.Entry{
			Session: "the-session", Account: account.Account{ID: "the-id", Name: "ada", PasswordHash: secret.New("$argon2id$"), Groups: []string{"staff"}},
			Token: session.Token{Purpose: session.ForApp, Issued: noon}, AMR: []string{"pwd"}, Expires: noon.Add(time.Hour), Idle: time.Hour,
		}
	}
	kept := read()
	kept.Compact(key("a"))
	later := read()
	later.Known = noon.Add(time.Second)
	later.MarkUsed(noon)
	if !kept.Says(later) {
		t.Error("the same, read later, is not confirmed")
	}
	notSaid := []string{"Known", "Told", "Assertion"}
	for i := range reflect.TypeFor[session.Entry]().NumField() {
		f := reflect.TypeFor[session.Entry]().Field(i)
		if !f.IsExported() || slices.Contains(notSaid, f.Name) {
			continue
		}
		other := read()
		testtools.Change(reflect.ValueOf(other).Elem().Field(i))
		if kept.Says(other) {
			t.Errorf("%s is not looked at", f.Name)
		}
	}
	// Account's own comparison looks at all of its fields (account_test.go).
	other := read()
	other.Account.Disabled = true
	if kept.Says(other) {
		t.Error("an account that was disabled is not looked at")
	}
}

// TestRememberedEntriesHoldOnToNothingElse, and to no password's hash.
func TestRememberedEntriesHoldOnToNothingElse(t *testing.T) {
	t.Parallel()
	record := "pwd and the rest"
	headers := "a header and app.example and the cookie and another"
	k := session.Key{Purpose: session.ForApp, Host: headers[13:24], Cookie: headers[29:39]}
	full := account.Account{
		ID: "the-id", Name: "ada", Email: "ada@example.com", DisplayName: "Ada Lovelace", Groups: []string{"staff", "ops"},
		PasswordHash: secret.New("$argon2id$"), Provider: "partner", Language: "en", LastMethod: account.MethodApp,
		Generation: 7, Created: noon,
	}
	c := session.NewCache(made(func(session.Key) *session.Entry {
		return &session.Entry{Session: "the-session", Account: full, Provider: "partner", AMR: []string{record[:3]}, Expires: noon.Add(time.Hour), Idle: time.Hour, Known: noon}
	}), func() time.Time { return noon }, 10)
	c.Live(true)
	e, err := c.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	want := full
	want.PasswordHash = secret.Text{}
	if diff := cmp.Diff(want, e.Account, cmp.AllowUnexported(secret.Text{})); diff != "" {
		t.Error(diff)
	}
	if e.Session != "the-session" || e.Provider != "partner" || !c.Knows(k) {
		t.Errorf("%+v", e)
	}
	if full.Groups[0] != "staff" || unsafe.StringData(e.Account.Groups[0]) == unsafe.StringData(full.Groups[0]) {
		t.Error("a group's text is the record's")
	}
	if e.AMR[0] != "pwd" || unsafe.StringData(e.AMR[0]) == unsafe.StringData(record) {
		t.Error("what proved them is a piece of the record")
	}
	if unsafe.StringData(e.Account.Name) == unsafe.StringData(full.Name) {
		t.Error("a name's text is the record's")
	}
	if c.SessionChanged("the-session"); c.Knows(k) {
		t.Error("it is remembered after a change")
	}
}

// TestOtherListsOfOneLengthAreNotConfirmed, nor API keys, of which the comparison
// does not look at every field.
func TestOtherListsOfOneLengthAreNotConfirmed(t *testing.T) {
	t.Parallel()
	read := func() *session.Entry {
		return &session.Entry{Session: "the-session", Account: account.Account{ID: "the-id", Groups: []string{"staff", "admins"}}, AMR: []string{"pwd", "otp"}}
	}
	kept := read()
	kept.Compact(key("a"))
	if !kept.Says(read()) {
		t.Error("the same is not confirmed")
	}
	for name, change := range map[string]func(*session.Entry){
		"groups":          func(e *session.Entry) { e.Account.Groups[1] = "guests" },
		"order of groups": func(e *session.Entry) { slices.Reverse(e.Account.Groups) },
		"AMR":             func(e *session.Entry) { e.AMR[1] = "hwk" },
		"level":           func(e *session.Entry) { e.Token.Level = session.LevelSecondFactor },
		"factor's time":   func(e *session.Entry) { e.Token.FactorAt = noon },
		"factor's kind":   func(e *session.Entry) { e.Token.FactorKind = "other" },
		"password's time": func(e *session.Entry) { e.Token.PasswordAt = noon },
		"host":            func(e *session.Entry) { e.Token.Host = "other.example" },
	} {
		other := read()
		change(other)
		if kept.Says(other) {
			t.Errorf("%s: not looked at", name)
		}
	}
	kept, other := read(), read()
	kept.APIKey, other.APIKey = &account.APIKey{Name: "one"}, &account.APIKey{Name: "two"}
	kept.Compact(key("a"))
	if kept.Says(other) || kept.Says(kept) {
		t.Error("an API key is confirmed")
	}
	other.APIKey = nil
	if kept.Says(other) {
		t.Error("an API key is confirmed as a session")
	}
}
