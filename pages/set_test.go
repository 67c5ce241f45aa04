package pages

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestEveryPageCanBeWrittenToDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	each(t, lifelike, func(t *testing.T, _ *Set, _ View, page string) {
		name := strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestEveryPageCanBeWrittenToDisk/"), "/", "+")
		if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPagesShareTheirParts: with a copy of the layout for each page they took
// ten times this, at every start. It runs alone, because it counts what the
// whole process allocates.
func TestPagesShareTheirParts(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := New(Brand{})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 5<<20 {
		t.Errorf("%d bytes for one set of pages", took)
	}
}

// TestEveryTemplateHasANameOfItsOwn: all pages are one set, where the last
// template of a name would stand in for the others.
func TestEveryTemplateHasANameOfItsOwn(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	define := regexp.MustCompile(`{{-? *(?:define|block) +"([^"]+)"`)
	in := map[string]string{}
	for _, name := range names {
		data, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range define.FindAllSubmatch(data, -1) {
			defined := string(m[1])
			if other, ok := in[defined]; ok {
				t.Errorf("%s and %s both define %q", other, name, defined)
			}
			in[defined] = name
			page, _, whole := strings.Cut(defined, ".")
			if whole && name != "templates/"+page+".html" {
				t.Errorf("%s defines %q, which is another page's", name, defined)
			}
		}
	}
}

func TestWriteSetsEveryHeader(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	w := httptest.NewRecorder()
	if err := s.Write(w, 403, Denied{User: "ann", App: "wiki"}); err != nil {
		t.Fatal(err)
	}
	if w.Code != 403 {
		t.Errorf("status %d, want 403", w.Code)
	}
	for name, want := range map[string]string{
		"Content-Type":               "text/html; charset=utf-8",
		"Cache-Control":              "no-store",
		"Content-Security-Policy":    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Referrer-Policy":            "same-origin",
		"X-Content-Type-Options":     "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy":         "otp-credentials=(self), publickey-credentials-get=(self)",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestOnlyTheFrameSignInMayBeFramed(t *testing.T) {
	t.Parallel()
	for _, x := range fixtures(lifelike) {
		csp, err := contentSecurityPolicy(x.view)
		if err != nil {
			t.Fatal(err)
		}
		_, framed := x.view.(FrameSignIn)
		if has := strings.HasSuffix(csp, "; frame-ancestors 'none'"); has == framed {
			t.Errorf("%s: %s", x.name, csp)
		}
	}
}

func TestPageOnAnAppsHostLoadsFromThePortal(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	w := httptest.NewRecorder()
	if err := s.Write(w, 403, Denied{Frame: Frame{Base: "https://login.example.com", Account: "ann"}, User: "ann", App: "wiki"}); err != nil {
		t.Fatal(err)
	}
	want := "default-src 'none'; style-src https://login.example.com; script-src https://login.example.com; img-src https://login.example.com data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if got := w.Header().Get("Content-Security-Policy"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A form on the app's host would post across origins, which is refused.
	if strings.Contains(w.Body.String(), "<form") {
		t.Error("the page holds a form")
	}
}

// A base that ends a directive would let a page load scripts from anywhere.
func TestBaseCannotWidenThePolicy(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for _, base := range []string{"https://a; script-src *", "javascript:alert(1)", "data:x", "x", "https://", "//a"} {
		w := httptest.NewRecorder()
		err := s.Write(w, 200, Help{Frame{Base: base}})
		if csp := w.Header().Get("Content-Security-Policy"); err == nil {
			t.Errorf("%s: accepted with %s", base, csp)
		}
	}
}

func TestRenderErrorWritesNothing(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for name, view := range map[string]View{
		"unknown problem":    SignIn{Frame: Frame{Problems: []Problem{{Key: "no.such.key"}}}},
		"unknown notice":     SignIn{Frame: Frame{Notices: []Notice{{Key: "no.such.key"}}}},
		"missing value":      Link{Frame: Frame{Problems: []Problem{{Field: "password", Key: PwLong}}}},
		"unknown kind":       Limited{Kind: "never"},
		"not otpauth":        SetUpApp{URI: "javascript:alert(1)"},
		"dangerous target":   Denied{User: "a", App: "b", Switch: "javascript:alert(1)"},
		"script as target":   Continue{Target: "javascript:alert(1)", Host: "wiki"},
		"another site's URL": Limited{Kind: LimitCodes, OtherWays: "//evil.example"},
	} {
		w := httptest.NewRecorder()
		if err := s.Write(w, 200, view); err == nil {
			t.Errorf("%s: no error", name)
		}
		if w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%s: something was written: %v %s", name, w.Header(), w.Body)
		}
	}
}

func TestLinkKeepsItsTokenOutOfReferrers(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	w := httptest.NewRecorder()
	if err := s.Write(w, 200, Link{Token: "tok3n", Username: "ann"}); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Referrer-Policy"); got != "strict-origin" {
		t.Errorf("Referrer-Policy: %s", got)
	}
	if n := strings.Count(w.Body.String(), "tok3n"); n != 1 {
		t.Errorf("the token stands %d times in the page, want once, as the form's address", n)
	}
}

// TestRefusalsAtASecretAddressKeepIt: a store that is away or a limit answers
// at the address of a link that is not used yet.
func TestRefusalsAtASecretAddressKeepIt(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for _, view := range []View{
		EnrolLink{Token: "x"},
		Limited{Kind: LimitRequests},
		Misdirected{Kind: MisdirectedHost},
		CookiesBlocked{},
		Busy{},
		Unavailable{},
		Failure{Kind: FailureServer},
	} {
		w := httptest.NewRecorder()
		if err := s.Write(w, 200, view); err != nil || w.Header().Get("Referrer-Policy") != "strict-origin" {
			t.Errorf("%T: %q %v", view, w.Header().Get("Referrer-Policy"), err)
		}
	}
}

func TestUnknownLanguageIsEnglish(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for _, lang := range []string{"", "xx", "en-GB", "../en", "EN"} {
		body, err := s.render(SignIn{Frame: Frame{Lang: lang}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(body), `<html lang="en" dir="ltr">`) {
			t.Errorf("%q is not shown in English", lang)
		}
	}
}
