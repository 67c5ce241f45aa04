package pages

import (
	"html"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLinksAndButtonsAreToldApart: people who hear a page may have only the
// list of its links or buttons. Each says which row it is about.
func TestLinksAndButtonsAreToldApart(t *testing.T) {
	t.Parallel()
	each(t, lifelike, func(t *testing.T, _ *Set, _ View, page string) {
		does, form := map[string]string{}, ""
		for _, n := range parse(t, page) {
			target := n.attr["href"]
			switch n.name {
			case "form":
				form = n.attr["action"]
				continue
			case "button":
				target = form + " " + n.attr["name"] + n.attr["value"] + n.attr["data-shown"]
				target = strings.TrimSpace(target)
			case "a":
			default:
				continue
			}
			name := n.attr["aria-label"]
			if name == "" {
				name = strings.Join(strings.Fields(n.text.String()), " ")
			}
			if strings.HasPrefix(target, "#") {
				continue // the summary; two problems may have the same words
			}
			if other, ok := does[name]; ok && other != target {
				t.Errorf("%q is both %q and %q", name, other, target)
			}
			does[name] = target
		}
	})
}

func TestFormsOfTheAccount(t *testing.T) {
	t.Parallel()
	out, signed := "/s/sign-out", Frame{Base: "/s", Account: "ann"}
	public := Frame{Base: "/s"}
	for name, c := range map[string]struct {
		view View
		want []string
	}{
		"sessions": {
			Security{Frame: signed, Org: "Corp", Open: []OpenSession{{ID: "s1", Current: true}, {ID: "s2"}, {ID: "s3"}}},
			[]string{out, "/s/account/security/sessions/s2", "/s/account/security/sessions/s3"},
		},
		"browsers": {
			Security{Frame: signed, Browsers: []TrustedBrowser{{ID: "b1", Current: true}, {ID: "b2"}}},
			[]string{out, "/s/account/security/browsers/b1", "/s/account/security/browsers/b2"},
		},
		"everywhere":    {SignOutEverywhere{Frame: signed, Sessions: 2}, []string{out, "/s/account/security/sign-out-everywhere"}},
		"password":      {ChangePassword{Frame: signed}, []string{out, "/s/account/security/password"}},
		"rename":        {RenameMethod{Frame: signed, Method: Method{ID: "a1"}}, []string{out, "/s/account/security/rename/a1"}},
		"test":          {TestMethod{Frame: signed}, []string{out, "/s/account/security/test"}},
		"recover":       {Recover{Frame: public}, []string{"/s/recover"}},
		"recover, sent": {RecoverSent{Frame: public}, nil},
		"new password":  {NewPassword{Frame: public, Token: "t0k"}, []string{"/s/recover/t0k"}},
		"not me":        {NotMe{Frame: public, Token: "t0k", What: Activity{Kind: ActivitySignedIn}}, []string{"/s/not-me/t0k"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, postForms(rendered(t, c.view))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// answers are the words of a page's buttons, with what each sends.
func answers(page string) (found []string) {
	for _, m := range regexp.MustCompile(`<button( [^>]*)>([^<]*)</button>`).FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(` name="([^"]*)" value="([^"]*)"`).FindStringSubmatch(m[1])
		text := m[2]
		if name != nil {
			text += " (" + name[1] + "=" + name[2] + ")"
		}
		found = append(found, text)
	}
	return found
}

func TestSigningOutEverywhereMayKeepThisBrowser(t *testing.T) {
	t.Parallel()
	for sessions, want := range map[int][]string{
		1: {"Sign out everywhere"},
		2: {"Sign out everywhere else (keep=this)", "Sign out everywhere, here too"},
	} {
		got := answers(rendered(t, SignOutEverywhere{Sessions: sessions}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d open (-want +got):\n%s", sessions, diff)
		}
	}
}

// Nothing is remembered unless it is offered and ticked.
func TestBrowserIsRememberedOnlyByATick(t *testing.T) {
	t.Parallel()
	phone := VerifyPhone{Method: MethodText, CanText: true, Minutes: 10}
	for _, days := range []int{0, 1, 30} {
		trust := Trust{days}
		sent, unsent := phone, phone
		sent.Trust, sent.Sent, unsent.Trust = trust, true, trust
		for _, view := range []View{VerifyApp{Trust: trust}, VerifyBackup{Trust: trust}, sent, unsent} {
			box := regexp.MustCompile(`<input type="checkbox"[^>]*>`).FindString(rendered(t, view))
			if v, ok := view.(VerifyPhone); (box != "") != (days > 0 && (!ok || v.Sent)) {
				t.Errorf("%T, %d days: %q", view, days, box)
			}
			if box != "" && (!strings.Contains(box, ` name="remember"`) || strings.Contains(box, "checked")) {
				t.Errorf("%T: %s", view, box)
			}
		}
	}
}

func TestTestingSaysSoAndLeadsBack(t *testing.T) {
	t.Parallel()
	for _, x := range testingFixtures(lifelike, Frame{Base: "/s", Account: "ann"}) {
		page := rendered(t, x.view)
		if !strings.Contains(words(page), "You are testing your second step. You stay signed in") {
			t.Errorf("%s does not say that it is a test", x.name)
		}
		if !strings.Contains(page, `<a href="/s/account/security">Cancel</a>`) {
			t.Errorf("%s leads nowhere back", x.name)
		}
	}
}

// What is sent about a forgotten password is the same for everybody.
func TestSentLinkSaysNothingOfTheAccount(t *testing.T) {
	t.Parallel()
	known, unknown := rendered(t, RecoverSent{Username: "ann", Minutes: 15}), rendered(t, RecoverSent{Username: "bob", Minutes: 15})
	if strings.ReplaceAll(known, "ann", "bob") != unknown {
		t.Error("the pages differ in more than the name")
	}
	text := html.UnescapeString(words(known))
	for _, part := range []string{"If there is an account for ann , we've sent a link", "works for 15 minutes", "spam folder", "Only its link works."} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %s", part, text)
		}
	}
}

func TestLinksOfEMailsKeepTheirTokens(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for _, view := range []View{NewPassword{Token: "t0k3n"}, NotMe{Token: "t0k3n", What: Activity{Kind: ActivitySignedIn}}} {
		w := httptest.NewRecorder()
		if err := s.Write(w, 200, view); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("%T: Referrer-Policy %s", view, got)
		}
		if n := strings.Count(w.Body.String(), "t0k3n"); n != 1 {
			t.Errorf("%T: the token stands %d times in the page", view, n)
		}
	}
}

func TestSamePersonIsNotToldOfAnother(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"ann": false, "bob": true} {
		page := words(rendered(t, SSOConfirm{Frame: Frame{Account: "ann"}, Name: name}))
		if got := strings.Contains(page, "You are signed in as"); got != want {
			t.Errorf("%s: %v in %s", name, got, page)
		}
	}
}

func TestPasswordsAreShownOneByOne(t *testing.T) {
	t.Parallel()
	b := openTab(t, chromium(t), ChangePassword{}, true, "")
	names := func() []string {
		return eval[[]string](b, `[...document.querySelectorAll("[data-show]")].map(b => b.getAttribute("aria-label") + "/" + b.textContent + "/" + b.parentNode.querySelector("input").type)`)
	}
	hidden := []string{"Show current password/Show/password", "Show new password/Show/password"}
	if diff := cmp.Diff(hidden, names()); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	b.click("#password + button")
	if diff := cmp.Diff([]string{hidden[0], "Hide new password/Hide/text"}, names()); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	if said := eval[string](b, `document.getElementById("said").textContent`); said != "Your new password is visible" {
		t.Errorf("said %q", said)
	}
	b.click("#password + button")
	if !slices.Equal(hidden, names()) {
		t.Errorf("hidden again: %v", names())
	}
}
