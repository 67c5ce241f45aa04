package login_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// keyed is somebody who has an API key.
type keyed struct {
	*authtest.Site
	t   *testing.T
	ann *authtest.Person
	c   login.Client
	p   login.Person
}

func newKeyed(t *testing.T) *keyed {
	t.Helper()
	k := &keyed{Site: authtest.New(t), t: t}
	k.ann, k.c = k.Add("ann", authtest.WithApp, authtest.WithCodes(1)), k.Client()
	k.p = k.Person(k.SignIn(k.c, k.ann))
	return k
}

// add makes a key and gives its text.
func (k *keyed) add(wish login.KeyWish) string {
	k.t.Helper()
	f, problem, err := k.Machine.AddAPIKey(ctx, k.c, k.p, wish)
	if err != nil || problem != nil {
		k.t.Fatalf("%v %+v", err, problem)
	}
	return k.shown(f)
}

func (k *keyed) shown(f login.Flow) string {
	k.t.Helper()
	shown, err := k.Machine.ShownKey(k.p, k.Load(k.c, f))
	k.Must(err)
	return shown.Text
}

func (k *keyed) reader() login.KeyReader {
	return login.KeyReader{APIKeys: k.Durable, Accounts: k.Durable, Peppers: k.Ring, Now: k.Clock.Now}
}

// read looks a key's text up as the guard does.
func (k *keyed) read(text string) error {
	k.t.Helper()
	parsed, err := factor.ParseAPIKey(text)
	k.Must(err)
	e, err := k.reader().Read(ctx, login.CacheKey(parsed))
	if err == nil && (e.Account.ID != k.ann.ID || e.APIKey.ID != parsed.ID()) {
		k.t.Errorf("it is read as %+v", e)
	}
	return err
}

func (k *keyed) only() account.APIKey {
	k.t.Helper()
	all, err := k.Durable.APIKeysOf(ctx, k.ann.ID)
	k.Must(err)
	if len(all) != 1 {
		k.t.Fatalf("%d keys", len(all))
	}
	return all[0]
}

func TestKeyIsMadeShownToItsMakerAndRead(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	wish := login.KeyWish{Name: " Backup job ", Hosts: []string{"Wiki.example"}, Paths: []string{"/api/"}, Methods: []string{"get"}, Life: time.Hour}
	f, problem, err := k.Machine.AddAPIKey(ctx, k.c, k.p, wish)
	if err != nil || problem != nil {
		t.Fatal(err, problem)
	}
	text := k.shown(f)
	if k.shown(f) != text { // a reload
		t.Error("another one is shown")
	}
	wantErr(t, k.read(text), nil)
	got := k.only()
	if got.Name != "Backup job" || got.Scope.Hosts[0] != "wiki.example" || got.Scope.Paths[0] != "/api" || got.Scope.Methods[0] != "GET" ||
		!got.Expires.Equal(k.Clock.Now().Add(time.Hour)) {
		t.Errorf("%+v", got)
	}
	if k.Events.Count(audit.APIKeyAdded) != 1 {
		t.Error("no event")
	}
	// Neither the database nor the flow has it in clear, nor does it print.
	if stored := fmt.Sprintf("%+v %s", got, k.Load(k.c, f).Kept); strings.Contains(stored, text[20:50]) {
		t.Error("it is stored in clear")
	}
	if shown, _ := k.Machine.ShownKey(k.p, f); strings.Contains(fmt.Sprintf("%v %+v %#v", shown, shown, shown), text) {
		t.Error("it prints")
	}
	// Nobody else is shown it, and its flow is of no other use.
	bob := k.Person(k.SignIn(k.Client(), k.Add("bob")))
	for what, err := range map[string]error{
		"another person": func() error { _, err := k.Machine.ShownKey(bob, f); return err }(),
		"a step-up": func() error {
			_, err := k.Machine.FinishStepUp(ctx, k.c, k.p, f, authtest.Place())
			return err
		}(),
		"a password": func() error { _, err := k.Machine.SubmitPassword(ctx, k.c, f, "ann", k.ann.Password); return err }(),
		"a sign-in":  func() error { _, err := k.Machine.Finish(ctx, k.c, f, authtest.Place(), ""); return err }(),
	} {
		if err == nil {
			t.Errorf("its flow serves %s", what)
		}
	}
}

func TestKeyEndsInEveryWay(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(k *keyed, id string) error{
		"revoked":  func(k *keyed, id string) error { return k.Machine.RevokeAPIKey(ctx, k.c, k.p, id) },
		"expired":  func(k *keyed, _ string) error { k.Clock.Advance(time.Hour); return nil },
		"rotated":  func(k *keyed, id string) error { _, err := k.Machine.RotateAPIKey(ctx, k.c, k.p, id, 0); return err },
		"disabled": func(k *keyed, _ string) error { return k.change(func(a *account.Account) { a.Disabled = true }) },
		"locked":   func(k *keyed, _ string) error { return k.change(func(a *account.Account) { a.Locked = k.Clock.Now() }) },
		"deleted":  func(k *keyed, _ string) error { return k.Durable.DeleteAccount(ctx, k.ann.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKeyed(t)
			text := k.add(login.KeyWish{Name: "job", Life: time.Hour})
			wantErr(t, k.read(text), nil)
			k.Must(end(k, k.only().ID))
			wantErr(t, k.read(text), session.ErrNotFound)
		})
	}
}

func (k *keyed) change(change func(*account.Account)) error {
	return k.Durable.ChangeAccount(ctx, k.ann.ID, k.Clock.Now(), true, func(a *account.Account) error { change(a); return nil })
}

func TestRotatedKeyStaysGoodForItsGraceTime(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	first := k.add(login.KeyWish{Name: "job"})
	id := k.only().ID
	f, err := k.Machine.RotateAPIKey(ctx, k.c, k.p, id, time.Hour)
	k.Must(err)
	second := k.shown(f)
	if first == second {
		t.Fatal("the same")
	}
	k.Clock.Advance(time.Hour - time.Second)
	wantErr(t, k.read(first), nil)
	wantErr(t, k.read(second), nil)
	k.Clock.Advance(time.Second)
	wantErr(t, k.read(first), session.ErrNotFound)
	wantErr(t, k.read(second), nil)
	// Of two rotations at once only the last secret before stays.
	k.p = k.Person(k.SignIn(k.c, k.ann))
	f, err = k.Machine.RotateAPIKey(ctx, k.c, k.p, id, time.Hour)
	k.Must(err)
	third := k.shown(f)
	_, err = k.Machine.RotateAPIKey(ctx, k.c, k.p, id, 1000*24*time.Hour)
	k.Must(err)
	wantErr(t, k.read(second), session.ErrNotFound)
	wantErr(t, k.read(third), nil)
	k.Clock.Advance(login.MaxKeyGrace)
	wantErr(t, k.read(third), session.ErrNotFound)
	if k.Events.Count(audit.APIKeyRotated) != 3 {
		t.Error("events")
	}
}

func TestKeysOfAnotherPersonAreNotFound(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	text := k.add(login.KeyWish{Name: "job"})
	id := k.only().ID
	bob := k.Person(k.SignIn(k.Client(), k.Add("bob")))
	_, err := k.Machine.RotateAPIKey(ctx, k.c, bob, id, 0)
	wantErr(t, err, account.ErrNotFound)
	wantErr(t, k.Machine.RevokeAPIKey(ctx, k.c, bob, id), account.ErrNotFound)
	wantErr(t, k.read(text), nil)
}

// TestChangesOfKeysNeedAFreshProof: SPEC D2.
func TestChangesOfKeysNeedAFreshProof(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	text := k.add(login.KeyWish{Name: "job"})
	id := k.only().ID
	k.Clock.Advance(11 * time.Minute)
	_, _, err := k.Machine.AddAPIKey(ctx, k.c, k.p, login.KeyWish{Name: "x"})
	wantErr(t, err, login.ErrStale)
	_, err = k.Machine.RotateAPIKey(ctx, k.c, k.p, id, 0)
	wantErr(t, err, login.ErrStale)
	wantErr(t, k.Machine.RevokeAPIKey(ctx, k.c, k.p, id), login.ErrStale)
	wantErr(t, k.read(text), nil)
	// And one of before all sessions were ended changes nothing.
	k.p = k.Person(k.SignIn(k.c, k.ann))
	k.Clock.Advance(time.Second)
	k.Must(k.change(func(*account.Account) {}))
	wantErr(t, k.Machine.RevokeAPIKey(ctx, k.c, k.p, id), session.ErrNotFound)
	wantErr(t, k.read(text), nil)
}

func TestWhatIsWrongWithANewKeyIsSaid(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	var many []string
	for i := range account.MaxKeyTerms + 1 {
		many = append(many, fmt.Sprintf("/%d", i))
	}
	for want, wish := range map[string]login.KeyWish{
		"name key.name.empty":     {Name: " "},
		"name label.long":         {Name: strings.Repeat("n", 41)},
		"hosts key.hosts.bad":     {Name: "x", Hosts: []string{"a b"}},
		"paths key.paths.bad":     {Name: "x", Paths: []string{"/api/*"}},
		"methods key.methods.bad": {Name: "x", Methods: []string{"*"}},
		"hosts key.terms":         {Name: "x", Paths: many},
	} {
		_, problem, err := k.Machine.AddAPIKey(ctx, k.c, k.p, wish)
		if err != nil || problem == nil || problem.Field+" "+problem.Key != want {
			t.Errorf("%s: %v %+v", want, err, problem)
		}
	}
	for range account.MaxAPIKeys {
		key, _, err := login.NewAPIKey(k.Ring, k.ann.ID, "x", account.KeyScope{}, 0, k.Clock.Now())
		k.Must(err)
		k.Must(k.Durable.AddAPIKey(ctx, key))
	}
	_, problem, err := k.Machine.AddAPIKey(ctx, k.c, k.p, login.KeyWish{Name: "one more"})
	if err != nil || problem == nil || problem.Key != "key.toomany" {
		t.Errorf("%v %+v", err, problem)
	}
}

// TestWrongKeysCountLikeWrongPasswords: SPEC G1.
func TestWrongKeysCountLikeWrongPasswords(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	c := k.Client()
	good, bad := func() (*session.Entry, error) { return &session.Entry{}, nil }, func() (*session.Entry, error) { return nil, session.ErrNotFound }
	away := errors.New("away")
	for range 100 { // neither a right one nor a store that is away counts
		_, err := k.Machine.TryAPIKey(ctx, c, good)
		wantErr(t, err, nil)
		_, err = k.Machine.TryAPIKey(ctx, c, func() (*session.Entry, error) { return nil, away })
		wantErr(t, err, away)
	}
	for i := range 49 {
		read := bad
		if i%2 == 0 {
			read = nil // a slip, which nothing was asked about
		}
		_, err := k.Machine.TryAPIKey(ctx, c, read)
		wantErr(t, err, session.ErrNotFound)
	}
	// A wrong password of that network is one of them.
	f, err := k.Machine.Begin(ctx, c, nil)
	k.Must(err)
	_, err = k.Machine.SubmitPassword(ctx, c, f, "nobody", secret.New("wrong"))
	k.Must(err)
	_, err = k.Machine.TryAPIKey(ctx, c, func() (*session.Entry, error) { t.Error("it was read"); return nil, nil })
	var limited *login.Limited
	if !errors.As(err, &limited) || limited.Limit != "password_network" || limited.RetryAfter != 10*time.Minute {
		t.Errorf("%v", err)
	}
	if k.Events.Count(audit.APIKeyRefused) != 49 || k.Events.Count(audit.LimitHit) != 1 {
		t.Errorf("%d refused, %d limits", k.Events.Count(audit.APIKeyRefused), k.Events.Count(audit.LimitHit))
	}
	_, err = k.Machine.TryAPIKey(ctx, k.Client(), good) // another network
	wantErr(t, err, nil)
}

// A ring without the pepper is an operator's fault: 503, and no "wrong key".
func TestKeyWhosePepperIsGoneIsNotCalledWrong(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	parsed, err := factor.ParseAPIKey(k.add(login.KeyWish{Name: "job"}))
	k.Must(err)
	r := k.reader()
	r.Peppers = noPeppers{}
	_, err = r.Read(ctx, login.CacheKey(parsed))
	wantErr(t, err, session.ErrUnavailable)
}

type noPeppers struct{}

func (noPeppers) Pepper(string, uint32) (secret.Bytes, error) {
	return secret.Bytes{}, errors.New("no such key")
}
