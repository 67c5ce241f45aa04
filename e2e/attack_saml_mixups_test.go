package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAnswerInAnotherBrowser: T85, T94. An attacker's own good answer put into
// somebody else's browser signs nobody in there (login CSRF), and a stolen
// answer opens nothing for the thief.
func TestAnswerInAnotherBrowser(t *testing.T) {
	t.Parallel()
	f := startFederation(t, unlimited, idpUsers, idpUsers)
	attacker := newClient(t, f.nodes[0], "app.test")
	victims := map[string]*client{
		"a browser that was never here":         newClient(t, f.nodes[1], "app.test"),
		"a browser in the middle of signing in": newClient(t, f.nodes[1], "app.test"),
		"a browser that is signed in":           newClient(t, f.nodes[1], "app.test"),
	}
	half := victims["a browser in the middle of signing in"].half("/x", "ada@partner.test")
	if end := victims["a browser that is signed in"].enter(f.partner, "ada", "/x", "ada@partner.test"); end.Text("user") != "ada" {
		t.Fatalf("the victim's own sign-in ends at %s (%d)", end.URL, end.Status)
	}
	for what, victim := range victims {
		before := f.user(victim)
		fresh := newClient(t, f.nodes[0], "app.test")
		got := fresh.answered(f.partner, "grace", fresh.half("/x", "grace@partner.test"))
		// The attacker's page posts it in the victim's browser.
		a := got.delivered(t, f.nodes[1])
		if !completes(a) {
			t.Fatalf("the attacker's own answer: %d to %q", a.Status, a.Location())
		}
		if a = victim.Get(a.Location()); problem(a) != "browser" {
			t.Errorf("%s: %d to %q", what, a.Status, a.Location())
		}
		victim.Follow(a)
		// Or leads it to a flow of the attacker's.
		for _, path := range []string{"/sso?flow=", "/continue?flow=", "/sso/complete?flow="} {
			if a := victim.Get(victim.g.URL("login.test", path+got.Flow)); strings.Contains(a.Body, "SAMLRequest") || hasSession(a) {
				t.Errorf("%s: %s of another's flow: %d to %q", what, path, a.Status, a.Location())
			}
		}
		if after := f.user(victim); after != before {
			t.Errorf("%s was %q and is %q", what, before, after)
		}
	}
	if n := f.sessions(t, "grace"); n != 0 {
		t.Errorf("%d sessions of the attacker's", n)
	}
	victim := victims["a browser in the middle of signing in"]
	got := victim.answered(f.partner, "ada", half)
	a := got.delivered(t, f.nodes[0])
	if !completes(a) {
		t.Fatalf("the victim's own answer afterwards: %d to %q", a.Status, a.Location())
	}
	// It is stolen on its way.
	attacker.half("/x", "grace@partner.test")
	if stolen := attacker.Get(a.Location()); problem(stolen) != "browser" || hasSession(stolen) {
		t.Errorf("a stolen answer: %d to %q", stolen.Status, stolen.Location())
	}
	if who := f.user(attacker); who != "" {
		t.Errorf("a thief is signed in as %q", who)
	}
	if n := f.sessions(t, "ada"); n != 1 {
		t.Errorf("%d sessions of the victim's, want the one in the other browser", n)
	}
	if end := victim.enter(f.partner, "ada", "/x", "ada@partner.test"); end.Text("user") != "ada" {
		t.Errorf("the victim's next sign-in ends at %s (%d)", end.URL, end.Status)
	}
}

// TestMixedUpAnswers: T85, T90, T92, T94. Each half of one sign-in with the
// other half of another; nothing of it opens anything, and the sign-in that was
// meant still works afterwards.
func TestMixedUpAnswers(t *testing.T) {
	t.Parallel()
	f := startFederation(t, unlimited, idpUsers, idpUsers)
	b := newClient(t, f.nodes[0], "app.test")
	partner := b.answered(f.partner, "ada", b.half("/x", "ada@partner.test"))
	other := newClient(t, f.nodes[0], "app.test")
	another := other.answered(f.partner, "grace", other.half("/x", "grace@partner.test"))
	third := b.answered(f.third, "ada", b.half("/x", "ada@third.test"))
	unasked := newClient(t, f.nodes[0], "login.test")
	nobody := unasked.answered(f.third, "ada", unasked.Get(f.third.SignInURL(readSPMetadata(t, f.metadata(t, f.nodes[0], "third")).EntityID, "https://evil.example/")))

	with := func(i idpAnswer, change func(*idpAnswer)) idpAnswer { change(&i); return i }
	for what, row := range map[string]struct {
		answer idpAnswer
		kind   string
		reason string
	}{
		"the state of another's request":       {with(partner, func(i *idpAnswer) { i.State = another.State }), "technical", "wrong_state"},
		"the state of this browser's other":    {with(partner, func(i *idpAnswer) { i.State = third.State }), "technical", "wrong_state"},
		"no state":                             {with(partner, func(i *idpAnswer) { i.State = "" }), "technical", "wrong_state"},
		"an address for a state":               {with(partner, func(i *idpAnswer) { i.State = "https://evil.example/" }), "technical", "wrong_state"},
		"lines in the state":                   {with(partner, func(i *idpAnswer) { i.State += "\r\nLocation: https://evil.example/" }), "technical", "wrong_state"},
		"100 KB of state":                      {with(partner, func(i *idpAnswer) { i.State = strings.Repeat("s", 100<<10) }), "technical", "wrong_state"},
		"an answer for the other provider":     {with(partner, func(i *idpAnswer) { i.ACS = third.ACS }), "expired", "wrong_request"},
		"and the other way round":              {with(third, func(i *idpAnswer) { i.ACS = partner.ACS }), "expired", "wrong_request"},
		"the other's answer with this state":   {with(third, func(i *idpAnswer) { i.ACS, i.State = partner.ACS, partner.State }), "expired", "wrong_request"},
		"an answer that nobody asked for":      {nobody, "unasked", "no_request"},
		"one that nobody asked for, with ours": {with(nobody, func(i *idpAnswer) { i.State = third.State }), "unasked", "no_request"},
		"one that nobody asked for, elsewhere": {with(nobody, func(i *idpAnswer) { i.ACS = partner.ACS }), "technical", "unknown_signer wrong_issuer wrong_destination no_request"},
	} {
		a := row.answer.delivered(t, f.nodes[1])
		if kind := problem(a); kind != row.kind && !(kind != "" && strings.Contains(row.reason, " ")) {
			t.Errorf("%s: %d to %q, want the kind %q", what, a.Status, a.Location(), row.kind)
		}
		if to := a.Location(); strings.Contains(to, "evil") {
			t.Errorf("%s: leads to %q", what, to)
		}
		page := b.Follow(a)
		clearPage(t, what, page.Status, page.Body)
		for _, leak := range []string{"SAMLResponse", "X509", "saml:", row.reason} {
			if strings.Contains(page.Body, leak) {
				t.Errorf("%s: the page tells %q", what, leak)
			}
		}
		last := f.audited(t)[0]
		if reason, _, _ := strings.Cut(last.Reason, ":"); last.Event != "sso_refused" || !strings.Contains(row.reason, reason) {
			t.Errorf("%s: the audit has %+v, want %s", what, last, row.reason)
		}
	}
	for _, form := range []url.Values{
		{"SAMLResponse": {partner.Response, partner.Response}, "RelayState": {partner.State}},
		{"SAMLResponse": {partner.Response}, "RelayState": {partner.State, third.State}},
	} {
		a := newClient(t, f.nodes[0], "login.test").Post(partner.ACS, form, "Sec-Fetch-Site: cross-site", "Origin: https://idp.partner.test")
		if problem(a) != "technical" {
			t.Errorf("a doubled field: %d to %q", a.Status, a.Location())
		}
	}
	if a := newClient(t, f.nodes[0], "login.test").Get(partner.ACS + "?" + partner.form().Encode()); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("an answer by GET: %d to %q", a.Status, a.Location())
	}
	if n := len(f.accounts(t)); n != 0 {
		t.Errorf("%d accounts were made of answers that were refused", n)
	}
	log := f.nodes[0].Log() + f.nodes[1].Log()
	for _, secret := range []string{partner.Response[:200], partner.State, third.State} {
		if strings.Contains(log, secret) || strings.Contains(log, url.QueryEscape(secret)) {
			t.Errorf("the log has %.40q", secret)
		}
	}

	// The same identifier at both is two people: neither gets the other's
	// account. Each of the answers above is still good where it belongs.
	a := third.delivered(t, f.nodes[0])
	if end := b.Follow(a); end.Text("user") != "s-7f3a01" {
		t.Fatalf("at the third: %d to %q, ends at %s (%d)", a.Status, a.Location(), end.URL, end.Status)
	}
	b = newClient(t, f.nodes[1], "app.test")
	if end := b.enter(f.partner, "ada", "/x", "ada@partner.test"); end.Text("user") != "ada" {
		t.Fatalf("at the partner it ends at %s (%d)", end.URL, end.Status)
	}
	all := f.accounts(t)
	if one, two := all["s-7f3a01"], all["ada"]; one.Provider != "third" || one.Email != "" || two.Provider != "partner" || two.Email != "ada@partner.test" || len(all) != 2 {
		t.Errorf("the accounts: %+v", all)
	}
}
