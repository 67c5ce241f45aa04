package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// Who may change what, when (SPEC D2, B4, F2; ASVS 5.0 7.5.1): every change of
// one's account, by everybody who could send it.

// standing is who sends a change.
type standing string

const (
	noSession    standing = "no session"
	oldSession   standing = "old session"
	passwordOnly standing = "password only"
	secondFactor standing = "after second factor"
	trustedOnly  standing = "trusted browser"
	ssoAccount   standing = "SSO account"
	disabledOne  standing = "disabled account"
)

var standings = []standing{noSession, oldSession, passwordOnly, secondFactor, trustedOnly, ssoAccount, disabledOne}

// What becomes of a change.
const (
	toSignIn  = "sign in first"
	toConfirm = "confirm first"
	managed   = "managed elsewhere"
	done      = "done"
)

// guarded is for a change to factors, number, password or codes; ending for
// what takes rights away; ownOnly for what only people with a password here
// have.
var (
	guarded = map[standing]string{
		noSession: toSignIn, oldSession: toConfirm, passwordOnly: toConfirm, secondFactor: done,
		trustedOnly: toConfirm, ssoAccount: managed, disabledOne: toSignIn,
	}
	ending = map[standing]string{
		noSession: toSignIn, oldSession: done, passwordOnly: done, secondFactor: done,
		trustedOnly: done, ssoAccount: done, disabledOne: toSignIn,
	}
	ownOnly = map[standing]string{
		noSession: toSignIn, oldSession: done, passwordOnly: done, secondFactor: done,
		trustedOnly: done, ssoAccount: managed, disabledOne: toSignIn,
	}
	// ofKeys is guarded, for people of a provider too: theirs has just proved
	// who they are.
	ofKeys = map[standing]string{
		noSession: toSignIn, oldSession: toConfirm, passwordOnly: toConfirm, secondFactor: done,
		trustedOnly: toConfirm, ssoAccount: done, disabledOne: toSignIn,
	}
)

// ownChange is one form of the settings.
type ownChange struct {
	path func(o *owner) string
	form []string
	want map[standing]string
	// changes says that it changes what owner.state tells of, once it is done.
	changes bool
}

func fixed(path string) func(*owner) string { return func(*owner) string { return path } }

func below(path string, id func(*owner) string) func(*owner) string {
	return func(o *owner) string { return path + id(o) }
}

var ownChanges = map[string]ownChange{
	"add an authenticator":         {path: fixed("/account/security/app"), want: guarded},
	"replace an authenticator":     {path: below("/account/security/app/", (*owner).app), want: guarded},
	"change the phone number":      {path: fixed("/account/security/phone"), form: []string{"phone", mobile, "channel", "text"}, want: guarded},
	"rename a method":              {path: below("/account/security/rename/", (*owner).app), form: []string{"label", "New"}, want: guarded, changes: true},
	"remove a method":              {path: below("/account/security/remove/", (*owner).app), want: guarded, changes: true},
	"turn two-factor off":          {path: fixed("/account/security/turn-off"), want: guarded, changes: true},
	"make new backup codes":        {path: fixed("/account/security/backup-codes"), want: guarded},
	"change the password":          {path: fixed("/account/security/password"), form: []string{"current", "correct horse ann", "password", "battery staple paper"}, want: guarded, changes: true},
	"end another session":          {path: below("/account/security/sessions/", (*owner).other), want: ending, changes: true},
	"sign out everywhere else":     {path: fixed("/account/security/sign-out-everywhere"), form: []string{"keep", "this"}, want: ending, changes: true},
	"sign out everywhere":          {path: fixed("/account/security/sign-out-everywhere"), want: ending, changes: true},
	"forget a remembered browser":  {path: below("/account/security/browsers/", (*owner).browser), want: ownOnly, changes: true},
	"make an API key":              {path: fixed("/account/keys/new"), form: []string{"name", "job"}, want: ofKeys, changes: true},
	"replace an API key":           {path: below("/account/keys/rotate/", (*owner).key), form: []string{"grace", "once"}, want: ofKeys, changes: true},
	"revoke an API key":            {path: below("/account/keys/revoke/", (*owner).key), want: ofKeys, changes: true},
	"test a method":                {path: fixed("/account/security/test"), form: []string{"method", "app"}, want: ownOnly},
	"confirm, by the wrong proofs": {path: fixed("/account/security/confirm"), form: []string{"password", "wrong", "code", "000000", "method", "app"}, want: map[standing]string{noSession: toSignIn, oldSession: toConfirm, passwordOnly: toConfirm, secondFactor: toConfirm, trustedOnly: toConfirm, disabledOne: toSignIn, ssoAccount: done}},
}

// owner is somebody with everything that can be changed.
type owner struct {
	*site
	person *authtest.Person
	b      *authtest.Browser
	id     account.ID
}

func (o *owner) app() string {
	for _, f := range o.factors().Of(account.KindApp) {
		return f.ID
	}
	return login.NewID()
}

func (o *owner) factors() account.Factors {
	fs, err := o.Durable.Factors(ctx, o.id)
	o.Must(err)
	return fs
}

func (o *owner) other() string {
	all, err := o.Short.SessionsOf(ctx, o.id)
	o.Must(err)
	for _, s := range all {
		if s.Browser == "other" {
			return string(s.ID)
		}
	}
	return login.NewID()
}

func (o *owner) browser() string {
	all, err := o.Durable.TrustedBrowsers(ctx, o.id, o.Clock.Now())
	o.Must(err)
	if len(all) == 0 {
		return login.NewID()
	}
	return all[0].ID
}

func (o *owner) keys() []account.APIKey {
	all, err := o.Durable.APIKeysOf(ctx, o.id)
	o.Must(err)
	return all
}

func (o *owner) key() string { return o.keys()[0].ID }

// state is all that a change could change.
func (o *owner) state() string {
	a, err := o.Durable.Account(ctx, o.id)
	o.Must(err)
	open, err := o.Short.SessionsOf(ctx, o.id)
	o.Must(err)
	trusted, err := o.Durable.TrustedBrowsers(ctx, o.id, o.Clock.Now())
	o.Must(err)
	var b strings.Builder
	fmt.Fprintf(&b, "password %x\nsessions %d\nbrowsers %d\n", login.LinkHash(a.PasswordHash.Reveal()), len(open), len(trusted))
	for _, k := range o.keys() {
		fmt.Fprintf(&b, "key %s %x\n", k.ID, k.Hash)
	}
	for _, f := range o.factors() {
		fmt.Fprintf(&b, "%s %s %q\n", f.Kind, f.ID, f.Label)
	}
	return b.String()
}

// newOwner brings somebody into a standing.
func newOwner(t *testing.T, as standing) *owner {
	t.Helper()
	s, idp := withPartner(t, func(_ *web.Portal, set *login.Settings) { set.TrustBrowser = 30 * 24 * time.Hour })
	o := &owner{site: s, b: s.browser()}
	if as == ssoAccount {
		id, state := s.atProvider(o.b, portalURL+"/")
		o.b.NoRefresh = false
		want(t, o.b.Open(s.posted(s.good(idp, id), state).Header.Get("Location")), http.StatusOK)
		all, err := s.Durable.AccountsAfter(ctx, "", 2)
		s.Must(err)
		o.id = all[0].ID // the only one
	} else {
		o.person = s.Add("ann", authtest.WithApp, authtest.WithPhone("+41446681800"), authtest.WithCodes(2), authtest.Email("ann@example.com"))
		o.id = o.person.ID
		o.enter(as)
	}
	o.Must(s.Short.CreateSession(ctx, session.Session{
		ID: session.NewID(), Account: o.id, Created: s.Clock.Now(), Expires: s.Clock.Now().Add(time.Hour), Idle: time.Hour, Browser: "other",
	}))
	o.Must(s.Durable.TrustBrowser(ctx, account.TrustedBrowser{ID: login.NewID(), Account: o.id, Created: s.Clock.Now(), Expires: s.Clock.Now().Add(time.Hour)}))
	key, _, err := login.NewAPIKey(s.Ring, o.id, "job", account.KeyScope{}, 0, s.Clock.Now())
	o.Must(err)
	o.Must(s.Durable.AddAPIKey(ctx, key))
	s.Clock.Advance(time.Second)
	return o
}

func (o *owner) enter(as standing) {
	o.t.Helper()
	switch as {
	case noSession:
	case trustedOnly:
		page := o.password(o.b, "/sign-in", o.person)
		o.b.Submit(page, "code", o.person.Code(), "remember", "1")
		o.b.SetCookie(portalHost, portalCookie, "")
		if page = o.password(o.b, "/sign-in", o.person); page.Path() != "/" {
			o.t.Fatalf("a remembered browser is asked at %s", page.URL)
		}
	default:
		want(o.t, o.signIn(o.b, o.person), http.StatusOK)
	}
	switch as {
	case oldSession:
		o.Clock.Advance(11 * time.Minute)
	case passwordOnly:
		o.lower()
	case disabledOne:
		o.Must(o.Durable.ChangeAccount(ctx, o.id, o.Clock.Now(), true, func(a *account.Account) error { a.Disabled = true; return nil }))
		o.Clock.Advance(time.Second)
	}
}

// lower makes the session one that a password alone began, as an app that asks
// for no more would.
func (o *owner) lower() {
	o.t.Helper()
	open, err := o.Short.SessionsOf(ctx, o.id)
	o.Must(err)
	token, _ := open[0].Token(session.ForPortal, portalHost)
	token.Level, token.FactorAt, token.FactorKind = session.LevelPassword, time.Time{}, ""
	o.Must(o.Short.SetToken(ctx, open[0].ID, token))
}

func TestWhoMayChangeWhatWhen(t *testing.T) {
	t.Parallel()
	for name, change := range ownChanges {
		for _, as := range standings {
			t.Run(name+"/"+string(as), func(t *testing.T) {
				t.Parallel()
				o := newOwner(t, as)
				path, before := change.path(o), o.state()
				page := o.b.Post(path, values(change.form...))
				if got := outcome(page); got != change.want[as] {
					t.Fatalf("%s: %d → %q, which is %s, want %s", path, page.Status, page.Header.Get("Location"), got, change.want[as])
				}
				diff := cmp.Diff(before, o.state())
				if changed := diff != ""; changed != (change.changes && change.want[as] == done) {
					t.Errorf("what it changed:\n%s", diff)
				}
			})
		}
	}
}

// outcome is what became of a form.
func outcome(page *authtest.Page) string {
	u, _ := url.Parse(page.Header.Get("Location"))
	switch {
	case page.Status == http.StatusForbidden:
		return managed
	case page.Status != http.StatusSeeOther:
		return fmt.Sprintf("status %d", page.Status)
	case u.Path == "/sign-in":
		return toSignIn
	case u.Path == "/account/security/confirm":
		return toConfirm
	}
	return done
}
