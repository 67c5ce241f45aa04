package pages

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// directive is one directive of a view's Content-Security-Policy.
func directive(t *testing.T, view View, name string) string {
	t.Helper()
	csp, err := contentSecurityPolicy(view)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range strings.Split(csp, "; ") {
		if value, ok := strings.CutPrefix(d, name+" "); ok {
			return value
		}
	}
	t.Fatalf("no %s in %s", name, csp)
	return ""
}

func TestOnlyTheFormOfAProviderPostsElsewhere(t *testing.T) {
	t.Parallel()
	post := SSO{Action: "https://idp.example.com:8443/sso?a=b;c"}
	if got := directive(t, post, "form-action"); got != "https://idp.example.com:8443" {
		t.Errorf("form-action %s", got)
	}
	// The header of somebody signed in has the form to sign out.
	post.Account = "ann"
	if got := directive(t, post, "form-action"); got != "'self' https://idp.example.com:8443" {
		t.Errorf("signed in: form-action %s", got)
	}
	for action, want := range map[string]string{
		"http://localhost:8080/sso":  "http://localhost:8080",
		"http://127.0.0.1:8080/sso":  "http://127.0.0.1:8080",
		"HTTPS://IdP.Example.COM/a,": "https://IdP.Example.COM",
	} {
		if got := directive(t, SSO{Action: action}, "form-action"); got != want {
			t.Errorf("%s: form-action %s, want %s", action, got, want)
		}
	}
	for _, x := range fixtures(lifelike) {
		if v, ok := x.view.(SSO); ok && v.Action != "" {
			continue
		}
		want := "'self'"
		if _, ok := x.view.(SendForm); ok { // the app that gets the form may lead on
			want = "'self' https:"
		}
		if got := directive(t, x.view, "form-action"); got != want {
			t.Errorf("%s: form-action %s, want %s", x.name, got, want)
		}
	}
}

// An operator's file or a provider's metadata names the address.
func TestProvidersAddressCannotWidenThePolicy(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for _, address := range []string{
		"https://a; script-src *", "https://a;script-src/", "https://a%3Bb/", "https://*/sso", "https://*.example.com/sso", "https://a b/",
		"https://'self'/", "https://a,b/", "https://", "https:///sso", "https://ann@idp.example.com/", "https://idp.exämple.com/",
		"http://idp.example.com/sso", "http://10.0.0.1/", "http://localhost.example.com/", "javascript:alert(1)", "data:text/html,x", "//idp.example.com/", "/sso", "sso", "",
	} {
		for shape, view := range map[string]View{
			"link": SSO{Target: address}, "form": SSO{Action: address}, "form, signed in": SSO{Frame: Frame{Account: "ann"}, Action: address},
		} {
			w := httptest.NewRecorder()
			if err := s.Write(w, 200, view); err == nil || w.Body.Len() > 0 || len(w.Header()) > 0 {
				t.Errorf("%s to %q: %v %v", shape, address, err, w.Header())
			}
		}
	}
}

func TestProviderIsNotToldTheFlow(t *testing.T) {
	t.Parallel()
	for _, view := range []View{SSO{Target: "https://idp.example.com/"}, SSO{Action: "https://idp.example.com/"}} {
		if got := referrerPolicy(view); got != "strict-origin" {
			t.Errorf("Referrer-Policy: %s", got)
		}
	}
}

// postForms are the addresses and hidden fields of a page's forms.
func postForms(page string) (found []string) {
	field := regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	for _, m := range regexp.MustCompile(`(?s)<form method="post" action="([^"]*)"( [^>]*)>(.*?)</form>`).FindAllStringSubmatch(page, -1) {
		row := m[1]
		if strings.Contains(m[2], "data-send") {
			row += " sent"
		}
		for _, f := range field.FindAllStringSubmatch(m[3], -1) {
			row += " " + f[1] + "=" + f[2]
		}
		found = append(found, row)
	}
	return found
}

func TestFormsOfSingleSignOn(t *testing.T) {
	t.Parallel()
	frame := Frame{Base: "/s", Flow: "f1"}
	signed := Frame{Base: "/s", Flow: "f1", Account: "ann"}
	fields := []HiddenField{{"SAMLRequest", "PHg+"}, {"RelayState", "r1"}}
	const out = "/s/sign-out"
	for name, c := range map[string]struct {
		view View
		want []string
	}{
		"post":         {SSO{Frame: frame, Action: "https://idp.example.com/a", Fields: fields}, []string{"https://idp.example.com/a sent SAMLRequest=PHg&#43; RelayState=r1"}},
		"post, fresh":  {SSO{Frame: signed, Action: "https://idp.example.com/a", Fresh: true}, []string{out, "https://idp.example.com/a sent"}},
		"post, switch": {SSO{Frame: signed, Action: "https://idp.example.com/a", Fields: fields, Switch: true}, []string{out, "https://idp.example.com/a SAMLRequest=PHg&#43; RelayState=r1"}},
		"redirect":     {SSO{Frame: frame, Target: "https://idp.example.com/a"}, nil},
		"confirm":      {SSOConfirm{frame, "Corp", "ann"}, []string{"/s/sso/complete flow=f1"}},
		"retry":        {SSOProblem{Frame{Base: "/s"}, "Corp", SSOExpired, "f2"}, []string{"/s/sso flow=f2"}},
		"no retry":     {SSOProblem{Frame{Base: "/s"}, "Corp", SSOExpired, ""}, nil},
		"sign-in":      {SignIn{Frame: frame, Plain: true, Wish: "w"}, []string{"/s/sign-in flow=f1 wish=w with=password"}},
		"step-up": {
			Confirm{Frame: signed, Change: ChangeSessions, Method: MethodApp, Next: "/n", Org: "Corp"},
			[]string{out, "/s/account/security/confirm flow=f1 next=/n method=sso"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, postForms(rendered(t, c.view))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// words is a page's main part as it is read out.
func words(page string) string {
	_, page, _ = strings.Cut(page, "<main")
	page, _, _ = strings.Cut(page, "</main>")
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")), " ")
}

func TestProblemsOfSingleSignOnSayWhatToDo(t *testing.T) {
	t.Parallel()
	for kind, part := range map[string]string{
		SSOTechnical:  "There is a technical problem between this service and Corp .",
		SSOExpired:    "took too long",
		SSOCancelled:  "cancelled or refused",
		SSONotAllowed: "is not allowed to use this service",
		SSOBrowser:    "was started in another browser or window",
		SSOUnasked:    "Start here instead",
	} {
		page := rendered(t, SSOProblem{Frame: Frame{Base: "/s", RequestID: "8f3a"}, Org: "Corp", Kind: kind})
		text := words(page)
		for _, want := range []string{part, "Reference: 8f3a", "it@example.com"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %s", kind, want, text)
			}
		}
		if !strings.Contains(page, `<a class="main" href="/s/sign-in">`) {
			t.Errorf("%s: no way to begin again", kind)
		}
		if got := strings.Contains(page, `href="/s/sign-in?with=password"`); got != (kind == SSOTechnical) {
			t.Errorf("%s: offers a password: %v", kind, got)
		}
	}
	// A reason that has no page of its own must not be shown as it is.
	if err := newSet(t).Write(httptest.NewRecorder(), 200, SSOProblem{Kind: "bad_transform"}); err == nil {
		t.Error("an unknown kind is shown")
	}
}

func TestSignedOutTellsOfTheProvider(t *testing.T) {
	t.Parallel()
	const still = "You may still be signed in to Corp and to other services it opens."
	const out = `<a class="main" href="/sso?out=x">`
	for name, c := range map[string]struct {
		view     SignedOut
		want, no []string
	}{
		"none":    {SignedOut{}, []string{"If other people use this device"}, []string{"Corp", "your organisation"}},
		"org":     {SignedOut{Org: "Corp"}, []string{still}, []string{"too"}},
		"offered": {SignedOut{Org: "Corp", SignOutOrg: "/sso?out=x"}, []string{still, "Sign out of Corp too"}, nil},
		"done":    {SignedOut{Org: "Corp", OrgDone: true}, []string{"You have signed out here and of Corp ."}, []string{"still"}},
		"failed":  {SignedOut{Org: "Corp", OrgFailed: true}, []string{"we could not sign you out of Corp .", still}, nil},
	} {
		page := rendered(t, c.view)
		text := words(page)
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %s", name, want, text)
			}
		}
		for _, no := range c.no {
			if strings.Contains(text, no) {
				t.Errorf("%s: %q in %s", name, no, text)
			}
		}
		if strings.Contains(page, out) != (c.view.SignOutOrg != "") || !strings.Contains(text, "Sign in again") {
			t.Errorf("%s: links are wrong in %s", name, page)
		}
	}
}

// An account that signs in elsewhere has no password or second step here, so
// nothing may ask for them or warn of their lack.
func TestManagedAccountIsToldNothingOfMethodsHere(t *testing.T) {
	t.Parallel()
	signed := Frame{Account: "ann"}
	for _, view := range []View{
		Home{Frame: signed, Org: "Corp"},
		Security{
			Frame: signed, Org: "Corp", Open: sessions(lifelike, 2), Recent: []Activity{{Kind: ActivitySignedIn}},
			MayTest: true, MayTurnOff: true, MayAddPhone: true, TrustDays: 30, Browsers: []TrustedBrowser{{ID: "b1"}},
		},
		NotMeDone{signed, "Corp"},
		SignOutEverywhere{Frame: signed, Org: "Corp", Sessions: 2},
		Confirm{Frame: signed, Org: "Corp", Method: MethodApp, Others: []string{MethodBackup}},
		Managed{signed, "Corp"},
	} {
		page := rendered(t, view)
		if !strings.Contains(words(page), "Corp") {
			t.Errorf("%T does not name the organisation", view)
		}
		for _, no := range []string{`name="password"`, `name="code"`, "/account/security/app", "backup", "notice warning", "need your password", "Change password", "Test it", "Ask again", "/recover"} {
			if strings.Contains(page, no) {
				t.Errorf("%T shows %q", view, no)
			}
		}
	}
}

func TestNamesInTitlesStayShortAndVisible(t *testing.T) {
	t.Parallel()
	title, err := newSet(t).language("en").title(SSO{Leaving: true, Org: "\u202eann\n" + strings.Repeat("W", 900)})
	if err != nil {
		t.Fatal(err)
	}
	if want := "Sign out of ann " + strings.Repeat("W", 36) + " – Example portal"; title != want {
		t.Errorf("got  %q\nwant %q", title, want)
	}
}

// Companies are called "Partner Ltd."; the stop of their name ends a sentence
// too.
func TestNameWithAStopEndsASentenceOnce(t *testing.T) {
	t.Parallel()
	for _, view := range []View{
		SSO{Org: "Partner Ltd.", Target: "https://idp.example.com/"},
		SSO{Org: "Partner Ltd.", Target: "https://idp.example.com/", Leaving: true},
		SignedOut{Org: "Partner Ltd.", OrgDone: true},
		Managed{Frame{Account: "ann"}, "Partner Ltd."},
		Confirm{Frame: Frame{Account: "ann"}, Org: "Partner Ltd."},
	} {
		page := rendered(t, view)
		if !strings.Contains(page, "<bdi>Partner Ltd.</bdi></p>") || strings.Contains(page, "<bdi>Partner Ltd.</bdi>.") {
			t.Errorf("%T: %s", view, page)
		}
	}
	if page := rendered(t, SSO{Org: "Partner", Target: "https://idp.example.com/"}); !strings.Contains(page, "<bdi>Partner</bdi>.</p>") {
		t.Errorf("another name: %s", page)
	}
}
