package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/session"
)

const (
	editURL   = appURL + "/edit?id=7"
	resumeURL = appURL + "/sallyport/resume"
	urlencode = "application/x-www-form-urlencoded"
	// edited is a form as a browser sends it: in its order, a name twice, line
	// ends, and what HTML escapes.
	edited = "title=A+%22new%22+%3Cpage%3E&tag=a&body=one%0D%0Atwo+%26+%C3%BC&tag=b&empty="
)

// posted is a form of the app's own page.
func postForm(b *authtest.Browser, address, body string, change ...func(*http.Request)) *authtest.Page {
	return b.Do(http.MethodPost, address, strings.NewReader(body), append([]func(*http.Request){func(r *http.Request) {
		r.Header.Set("Content-Type", urlencode)
		r.Header.Set("Origin", appURL)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}}, change...)...)
}

// idle signs somebody in at the app, who then does nothing until that has ended.
func (s *site) idle(b *authtest.Browser, p *authtest.Person) {
	s.t.Helper()
	want(s.t, s.signInAt(b, appURL+"/", p), http.StatusOK, "app for "+p.Name)
	s.Clock.Advance(61 * time.Minute)
}

// repeat is what a browser does at 307: the same again, elsewhere.
func repeat(t *testing.T, b *authtest.Browser, page *authtest.Page, body string) *authtest.Page {
	t.Helper()
	if page.Status != http.StatusTemporaryRedirect {
		t.Fatalf("%s: %d, want 307\n%s", page.URL, page.Status, page.Body)
	}
	to, err := page.URL.Parse(page.Header.Get("Location"))
	if err != nil || to.Host != appHost {
		t.Fatalf("to %v (%v)", to, err)
	}
	return postForm(b, to.String(), body)
}

// TestFormThatMeetsAnEndedSessionIsSentLater: SPEC A6.
func TestFormThatMeetsAnEndedSessionIsSentLater(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"portal of its own": nil, "on the app's host": {onAppHost}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, append(ways, needsFactor)...)
			ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
			s.idle(b, ann)
			page := postForm(b, editURL, edited)
			want(t, page, http.StatusUnauthorized)
			wantSays(t, page, said(t, "unsentform.text", "app", "App"))
			if strings.Contains(page.Body, "new") && strings.Contains(page.Body, "two") {
				t.Error("the page has the form in clear")
			}
			kept := page.Forms(t)[0].Fields.Get("kept")

			early := postForm(b, resumeURL, values("kept", kept).Encode())
			want(t, early, http.StatusUnauthorized)
			wantSays(t, early, said(t, "unsentform.signedout"))

			address := link(t, early, said(t, "unsentform.signin"))
			if !strings.HasPrefix(address, "https://") {
				address = appURL + address
			}
			s.Clock.Advance(20 * time.Minute)
			b.NoRefresh = false
			s.signInAt(b, address, ann)
			page = postForm(b, resumeURL, values("kept", early.Forms(t)[0].Fields.Get("kept")).Encode())
			want(t, page, http.StatusOK, "POST <bdi>https://app.example/edit?id=7</bdi>")
			wantSays(t, page, said(t, "sendform.text", "app", "App"))
			for _, field := range []string{"title", "tag", "body", "empty"} {
				if n := strings.Count(page.Body, `<li><code translate="no"><bdi>`+field+"</bdi></code></li>"); n != 1 {
					t.Errorf("the page names %q %d times\n%s", field, n, page.Body)
				}
			}
			form := page.Forms(t)[0]
			fields := url.Values{"title": {`A "new" <page>`}, "tag": {"a", "b"}, "body": {"one\ntwo & ü"}, "empty": {""}}
			if diff := cmp.Diff(fields, form.Fields); diff != "" {
				t.Errorf("the form that is sent: %s", diff)
			}
			to := appURL + form.Action
			want(t, repeat(t, b, postForm(b, to, edited), edited), http.StatusOK, "app for ann at /edit?id=7", edited)

			again := postForm(b, to, edited)
			want(t, again, http.StatusConflict)
			wantSays(t, again, said(t, "formsent.text", "app", "App"))
		})
	}
}

// Somebody else who signs in in the same browser meets the form's page, not the
// form; its owner still can send it.
func TestKeptFormIsItsOwners(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, bob, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.Add("bob", authtest.WithApp, authtest.WithCodes(3)), s.browser()
	s.idle(b, ann)
	kept := postForm(b, editURL, edited).Forms(t)[0].Fields.Get("kept")
	s.signInAt(b, appURL+"/", bob)
	page := postForm(b, resumeURL, values("kept", kept).Encode())
	want(t, page, http.StatusUnauthorized)
	wantSays(t, page, said(t, "unsentform.other"))

	b.Submit(b.Open(portalURL + "/sign-out"))
	s.Clock.Advance(time.Minute)
	s.signInAt(b, appURL+"/", ann)
	page = postForm(b, resumeURL, values("kept", page.Forms(t)[0].Fields.Get("kept")).Encode())
	want(t, page, http.StatusOK)
	to := appURL + page.Forms(t)[0].Action

	// Signed out between the page and the click: it is kept anew.
	b.Submit(b.Open(portalURL + "/sign-out"))
	page = postForm(b, to, edited)
	want(t, page, http.StatusUnauthorized)
	s.Clock.Advance(time.Minute)
	s.signInAt(b, appURL+"/", ann)
	page = postForm(b, resumeURL, values("kept", page.Forms(t)[0].Fields.Get("kept")).Encode())
	want(t, page, http.StatusOK)
	want(t, repeat(t, b, postForm(b, appURL+page.Forms(t)[0].Action, edited), edited), http.StatusOK, "app for ann at /edit?id=7")
	want(t, postForm(b, to, edited), http.StatusConflict) // the first page's is the same form
}

// A kept form is worth nothing in another browser, on another host, or late.
func TestKeptFormOpensNowhereElse(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b, other := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser(), s.browser()
	s.idle(b, ann)
	kept := postForm(b, editURL, edited).Forms(t)[0].Fields.Get("kept")
	s.signInAt(other, appURL+"/", ann)
	s.Clock.Advance(time.Minute)
	s.signInAt(b, appURL+"/", ann)
	resume := func(b *authtest.Browser, kept string, change ...func(*http.Request)) int {
		return postForm(b, resumeURL, values("kept", kept).Encode(), change...).Status
	}
	for name, got := range map[string]int{
		"another browser": resume(other, kept),
		"changed":         resume(b, kept[:len(kept)-8]+"AAAAAAAA"),
		"nothing":         resume(b, ""),
		"in the address":  postForm(b, resumeURL+"?form="+kept[:40], edited).Status,
	} {
		if got != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, got)
		}
	}
	for name, got := range map[string]int{
		"another site's form": resume(b, kept, crossSite),
		"a sibling's":         resume(b, kept, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }),
	} {
		if got != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, got)
		}
	}
	if got := resume(b, kept); got != http.StatusOK {
		t.Errorf("its own browser: %d, want 200", got)
	}
	s.Clock.Advance(61 * time.Minute)
	if got := resume(b, kept); got != http.StatusBadRequest {
		t.Errorf("an hour later: %d, want 400", got)
	}
}

// Only what can be sent again as it was is kept; everything else goes to sign in
// as before.
func TestWhichFormsAreKept(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
	s.idle(b, ann)
	part := func(head, value string) string {
		return "--x\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + value + "\r\n"
	}
	multipart := func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }
	for name, c := range map[string]struct {
		body   string
		change func(*http.Request)
		kept   bool
	}{
		"a form":             {edited, nil, true},
		"nothing in it":      {"", nil, true},
		"64 KiB":             {"a=" + strings.Repeat("x", 64<<10-2), nil, true},
		"a byte more":        {"a=" + strings.Repeat("x", 64<<10-1), nil, false},
		"more, not told":     {"a=" + strings.Repeat("x", 64<<10), func(r *http.Request) { r.ContentLength = -1 }, false},
		"parts":              {part(`name="a"`, "1\r\n2") + part(`name="b"`, "") + "--x--\r\n", multipart, true},
		"a file":             {part(`name="a"`, "1") + part(`name="f"; filename="x.txt"`, "hello") + "--x--\r\n", multipart, false},
		"a place for a file": {part(`name="f"; filename=""`, "") + "--x--\r\n", multipart, false},
		"parts cut short":    {part(`name="a"`, "1"), multipart, false},
		"no boundary":        {part(`name="a"`, "1"), func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data") }, false},
		"plain text":         {"a=1", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, false},
		"JSON":               {`{"a":1}`, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, false},
		"no type":            {"a=1", func(r *http.Request) { r.Header.Del("Content-Type") }, false},
		"no UTF-8":           {"a=%FF", nil, false},
		"NUL":                {"a=%00", nil, false},
		"a broken escape":    {"a=%zz", nil, false},
		"a thousand fields":  {strings.Repeat("a=1&", 1000), nil, true},
		"one field more":     {strings.Repeat("a=1&", 1001), nil, false},
		"another site's":     {edited, crossSite, false},
		"a sibling host's":   {edited, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, false},
		"an old browser's":   {edited, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") }, true},
		"from nowhere":       {edited, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") }, false},
		"nobody's":           {edited, func(r *http.Request) { r.Header.Del("Cookie") }, false},
		"with a forged cookie": {edited, func(r *http.Request) {
			r.Header.Set("Cookie", session.Jar{Secure: true}.Name(session.CookieApp)+"=forged")
		}, false},
	} {
		change := c.change
		if change == nil {
			change = func(*http.Request) {}
		}
		s.Clock.Advance(2 * time.Second) // forms are counted
		page := postForm(b, editURL, c.body, change)
		if kept := page.Status == http.StatusUnauthorized && strings.Contains(page.Body, `name="kept"`); kept != c.kept || !kept && page.Status != http.StatusFound {
			t.Errorf("%s: kept %v with %d, want %v", name, kept, page.Status, c.kept)
		}
	}
}

// What a form with parts holds comes back in the same encoding.
func TestKeptFormKeepsItsEncoding(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
	s.idle(b, ann)
	body := "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo\r\n--x--\r\n"
	page := postForm(b, editURL, body, func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") })
	kept := page.Forms(t)[0].Fields.Get("kept")
	s.signInAt(b, appURL+"/", ann)
	page = postForm(b, resumeURL, values("kept", kept).Encode())
	want(t, page, http.StatusOK, `enctype="multipart/form-data"`)
	if got := page.Forms(t)[0].Fields.Get("a"); got != "one\ntwo" { // a browser sends it with its line ends
		t.Errorf("the field has %q", got)
	}
}

// With `reauthenticate`, proofs that are too old end nothing and lose nothing.
func TestFormThatMeetsOldProofsIsKept(t *testing.T) {
	t.Parallel()
	s := newFreshSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
	s.signInAt(b, adminURL, ann)
	s.Clock.Advance(16 * time.Minute)
	page := postForm(b, appURL+"/admin/save", edited)
	want(t, page, http.StatusUnauthorized)
	kept := page.Forms(t)[0].Fields.Get("kept")
	page = postForm(b, resumeURL, values("kept", kept).Encode())
	want(t, page, http.StatusUnauthorized)
	confirm := s.wantAt(b.Open(link(t, page, said(t, "unsentform.signin"))), "/account/security/confirm")
	b.Submit(confirm, "password", ann.Password.Reveal(), "code", ann.Code())
	page = postForm(b, resumeURL, values("kept", kept).Encode())
	want(t, page, http.StatusOK)
	want(t, repeat(t, b, postForm(b, appURL+page.Forms(t)[0].Action, edited), edited), http.StatusOK, "app for ann at /admin/save", edited)
}

// One form, sent by many clicks at once, arrives once.
func TestKeptFormIsSentOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
	s.idle(b, ann)
	kept := postForm(b, editURL, edited).Forms(t)[0].Fields.Get("kept")
	s.signInAt(b, appURL+"/", ann)
	to := appURL + postForm(b, resumeURL, values("kept", kept).Encode()).Forms(t)[0].Action
	got := make(chan int)
	const clicks = 20
	for range clicks {
		clone := b.Clone()
		go func() { got <- postForm(clone, to, edited).Status }()
	}
	count := map[int]int{}
	for range clicks {
		count[<-got]++
	}
	if diff := cmp.Diff(map[int]int{http.StatusTemporaryRedirect: 1, http.StatusConflict: clicks - 1}, count); diff != "" {
		t.Error(diff)
	}
}
