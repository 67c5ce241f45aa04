package web_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/authtest"
)

// TestEveryKeyOfLoginIsInTheCatalogue: a missing one would make a page fail.
func TestEveryKeyOfLoginIsInTheCatalogue(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../pages/messages/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var catalogue map[string]any
	if err := json.Unmarshal(data, &catalogue); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("../login/*.go")
	key := regexp.MustCompile(`"((?:id|pw|code|backup|signin|method|saved|app|label|notice)\.[a-z]+)"`)
	found := 0
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range key.FindAllStringSubmatch(string(source), -1) {
			found++
			if catalogue[m[1]] == nil {
				t.Errorf("%s: %s is not in the catalogue", name, m[1])
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d keys were found", found)
	}
}

// TestStoreThatIsAwayIs503AndLetsNobodyThrough: R58, T108.
func TestStoreThatIsAwayIs503AndLetsNobodyThrough(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*site) error{
		"accounts": func(s *site) error { return s.Durable.Close() },
		"sessions": func(s *site) error { return s.Short.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, combined)
			ann, b, half := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser(), s.browser()
			s.signInAt(b, appURL+"/", ann)
			page := s.password(half, "/sign-in", ann)
			s.Must(away(s))
			for what, p := range map[string]*authtest.Page{
				"home": b.Get(portalURL + "/"), "settings": b.Get(portalURL + "/account/security"), "a code": half.Send(page, "code", ann.Code()),
				"a password": s.browser().Post(portalURL+"/sign-in/password", values("username", "ann", "password", ann.Password.Reveal())),
				"the step":   half.Get(page.URL.String()), "signing out": b.Post(portalURL+"/sign-out", nil),
			} {
				if p.Status != http.StatusServiceUnavailable || p.Header.Get("Retry-After") == "" || strings.Contains(p.Body, "sqlite") {
					t.Errorf("%s: %d", what, p.Status)
				}
			}
			for _, path := range []string{"/help", "/expired", "/signed-out"} {
				want(t, half.Get(portalURL+path), 200)
			}
		})
	}
}

// TestStepsInTheWrongOrderLeadToTheRightOne: T26, for each form of a flow that
// waits for another.
func TestStepsInTheWrongOrderLeadToTheRightOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.Add("ann", authtest.WithApp)
	b := s.browser()
	page := s.password(b, "/sign-in", ann)
	id := page.URL.Query().Get("flow")
	for _, path := range []string{"/set-up", "/set-up/app", "/set-up/backup-codes"} {
		p := b.Post(path, values("flow", id, "code", ann.WrongCode(), "saved", "1", "answer", "later"))
		p2 := b.Post(path, values("flow", id))
		wantRedirect(t, p, "/verify/app")
		wantRedirect(t, p2, "/verify/app")
	}
	if b.Cookie(portalHost, "__Host-sallyport-portal") != "" {
		t.Error("signed in without the second step")
	}
	for _, bad := range []string{"", noID, "x", id + "x", strings.ToUpper(id)} {
		wantRedirect(t, b.Post("/verify/app", values("flow", bad, "code", ann.WrongCode())), "/expired")
	}
	other := s.browser()
	other.Open("/sign-in")
	wantRedirect(t, other.Post("/verify/app", values("flow", id, "code", ann.Code())), "/expired")
	other = s.browser()
	want(t, other.Post("/verify/app", values("flow", id, "code", ann.Code())), 400)
}
