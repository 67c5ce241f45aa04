package login_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// twoProviders: `example`, whose domain is example.org, and `other`.
func twoProviders(set *login.Settings) {
	set.BreakGlass = []string{"rescue", "chief@example.org"}
	set.Providers = map[string]login.Provider{
		"example": {
			Name: "example", Title: "Example", Domains: []string{"example.org"}, CreateAccounts: true,
			Attributes: login.Attributes{User: "uid", Email: "mail", Groups: "groups"},
		},
		"other": {
			Name: "other", Title: "Other", Domains: []string{"other.org"}, CreateAccounts: true,
			Attributes: login.Attributes{User: "uid", Email: "mail", Groups: "groups"},
		},
	}
}

// keptAnswer is a browser's request to a provider, and the key of the answer to it.
func keptAnswer(s *authtest.Site, c login.Client, provider string, as login.Asserted) (key string) {
	s.T.Helper()
	now := s.Clock.Now()
	as.Provider, as.ID, as.Until, as.ProvedAt = provider, "_"+login.NewID(), now.Add(5*time.Minute), now
	as.SSO.Provider, as.SSO.Entity = provider, "https://idp."+provider+".org/"
	return kept(s, askedProvider(s, c, provider), as)
}

// refusedAs is the reason of a refusal, "" for none.
func refusedAs(err error) string {
	if r := (*login.SSORefused)(nil); errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

// TestAnswerKeyHoldsTwoMinutes: SPEC F3.
func TestAnswerKeyHoldsTwoMinutes(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, twoProviders)
	ann := login.Asserted{SSO: session.SSO{NameID: "n-1"}, User: "ann", Email: "ann@example.org"}
	for wait, want := range map[time.Duration]string{0: "", login.AnswerLife - time.Second: "", login.AnswerLife: "answer_gone", time.Hour: "answer_gone"} {
		c := s.Client()
		key := keptAnswer(s, c, "example", ann)
		s.Clock.Advance(wait)
		if _, err := s.Machine.Complete(ctx, c, key); refusedAs(err) != want || want == "" && err != nil {
			t.Errorf("after %v: %v, want %q", wait, err, want)
		}
		if _, err := s.Machine.Complete(ctx, c, key); refusedAs(err) != "answer_gone" {
			t.Errorf("after %v and once more: %v", wait, err)
		}
	}
}

// TestGivenAccountOpensOnlyToItsProvider: T93. An account that the operator
// gave a provider, and that nobody has used yet, is that provider's by its
// name and its address, whatever their domain; and no other's, by neither.
func TestGivenAccountOpensOnlyToItsProvider(t *testing.T) {
	t.Parallel()
	for what, row := range map[string]struct {
		provider, user, email string
		want                  string // "" : reaches the account
	}{
		"its name":                                 {"example", "vera", "", ""},
		"its address, of nobody's domain":          {"example", "v", "vera@elsewhere.org", ""},
		"its name in another case":                 {"example", "VERA", "", ""},
		"its name in other letters":                {"example", "ＶＥＲＡ", "", "bad_user"},
		"its name, from another provider":          {"other", "vera", "", "name_taken"},
		"its name in other letters, from another":  {"other", "ＶＥＲＡ", "", "bad_user"},
		"its address, as another provider's name":  {"other", "vera@elsewhere.org", "", "bad_user"},
		"its address, from another provider":       {"other", "trudy", "vera@elsewhere.org", "other"},
		"an account of another's domain":           {"other", "wim", "wim@other.org", "other_provider"},
		"a disabled account":                       {"example", "off", "", "account_disabled"},
		"a break-glass account":                    {"example", "rescue", "", "break_glass"},
		"a break-glass account, its address":       {"example", "x", "chief@example.org", "break_glass"},
		"a local account's name":                   {"example", "bob", "", "name_taken"},
		"a local account's address, not its own's": {"example", "trudy", "bob@elsewhere.org", "other"},
	} {
		s := authtest.New(t, twoProviders)
		given := s.Add("vera", authtest.Email("vera@elsewhere.org"), authtest.Managed)
		s.Add("wim", authtest.Email("wim@other.org"), authtest.Managed)
		s.Add("off", authtest.Managed, authtest.Disabled)
		s.Add("rescue", authtest.Managed)
		s.Add("chief", authtest.Email("chief@example.org"))
		s.Add("bob", authtest.Email("bob@elsewhere.org"))
		c := s.Client()
		f, err := s.Machine.Complete(ctx, c, keptAnswer(s, c, row.provider, login.Asserted{SSO: session.SSO{NameID: "n-1"}, User: row.user, Email: row.email}))
		reached := refusedAs(err)
		if err == nil && f.Account != given.ID {
			reached = "other"
			own, err := s.Durable.Account(ctx, f.Account)
			s.Must(err)
			if own.Name != row.user || own.Provider != row.provider || own.Email != "" {
				t.Errorf("%s: reached %+v", what, own)
			}
		}
		if reached != row.want || err != nil && reached == "" {
			t.Errorf("%s: %q (%v), want %q", what, reached, err, row.want)
		}
		if row.want == "" {
			continue
		}
		for _, name := range []string{"vera", "wim", "off", "rescue", "chief", "bob"} {
			a, err := s.Durable.AccountByIdentifier(ctx, name)
			s.Must(err)
			ids, err := s.Durable.IdentitiesOf(ctx, a.ID)
			s.Must(err)
			if len(ids) > 0 || !a.LastSignIn.IsZero() || name == "off" != a.Disabled {
				t.Errorf("%s: %s is changed: %+v, %v", what, name, a, ids)
			}
		}
	}
}

// TestEveryUseOfBreakGlassIsTold: SPEC F2. Who is listed raises the alarm,
// whether or not a provider owns the domain; nobody else does.
func TestEveryUseOfBreakGlassIsTold(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, twoProviders)
	for _, p := range []*authtest.Person{
		s.Add("rescue", authtest.Email("rescue@elsewhere.org")), s.Add("chief", authtest.Email("chief@example.org")), s.Add("bob"),
	} {
		before := s.Events.Count(audit.BreakGlassUsed)
		if _, err := password(s, s.Client(), p.Name, wrong); err != nil {
			t.Fatal(err)
		}
		if n := s.Events.Count(audit.BreakGlassUsed) - before; n != 0 {
			t.Errorf("%s: %d alarms of a wrong password", p.Name, n)
		}
		f, err := password(s, s.Client(), p.Name, p.Password)
		if f = passed(t, f, err); f.Account != p.ID {
			t.Errorf("%s does not get in", p.Name)
		}
		want := 1
		if p.Name == "bob" {
			want = 0
		}
		if n := s.Events.Count(audit.BreakGlassUsed) - before; n != want {
			t.Errorf("%s: %d alarms, want %d", p.Name, n, want)
		}
	}
}
