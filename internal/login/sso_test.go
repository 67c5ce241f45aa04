package login_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// withProviders configures two: partner owns partner.example and reads all
// attributes, other owns other.example and reads none.
func withProviders(change ...func(*login.Settings)) func(*login.Settings) {
	return func(s *login.Settings) {
		s.Providers = map[string]login.Provider{
			"partner": {
				Name: "partner", Title: "Partner", Domains: []string{"partner.example"}, CreateAccounts: true,
				Attributes: login.Attributes{User: "uid", Email: "mail", Name: "displayName", Groups: "memberOf"},
				Groups:     map[string]string{"cn=staff": "staff"},
			},
			"other": {Name: "other", Title: "Other", Domains: []string{"other.example"}, CreateAccounts: true},
		}
		s.BreakGlass = []string{"root"}
		for _, c := range change {
			c(s)
		}
	}
}

// asserts is what partner says of somebody, with changes.
func asserts(s *authtest.Site, user, email string, change ...func(*login.Asserted)) login.Asserted {
	now := s.Clock.Now()
	as := login.Asserted{
		Provider: "partner", ID: "_" + login.NewID(), Until: now.Add(5 * time.Minute), ProvedAt: now, Methods: []string{"pwd"},
		SSO:  session.SSO{Provider: "partner", Entity: "https://idp.partner.example", NameID: "id-of-" + user, Index: "index-1"},
		User: user, Email: email, Name: "Some One", HasGroups: true, Groups: []string{"cn=staff", "ops"},
	}
	for _, c := range change {
		c(&as)
	}
	return as
}

// askedProvider begins a sign-in that has asked partner.
func askedProvider(s *authtest.Site, c login.Client, provider string) login.Flow {
	s.T.Helper()
	f, err := s.Machine.AskProvider(ctx, s.Begin(c), provider, false)
	s.Must(err)
	return f
}

// answered brings an assertion to the flow that asked for it.
func answered(s *authtest.Site, c login.Client, f login.Flow, as login.Asserted) (login.Flow, error) {
	s.T.Helper()
	return s.Machine.Complete(ctx, c, kept(s, f, as))
}

// kept is the key under which the answer to a flow's request waits.
func kept(s *authtest.Site, f login.Flow, as login.Asserted) string {
	s.T.Helper()
	r, err := s.Machine.PendingRequest(ctx, f.SSO.Request)
	s.Must(err)
	key, err := s.Machine.KeepAnswer(ctx, &r, as)
	s.Must(err)
	return key
}

// staleAnn is somebody who signed in at partner eleven minutes ago.
func staleAnn(s *authtest.Site) (login.Client, login.SignedIn) {
	s.T.Helper()
	c := s.Client()
	in, err := arrives(s, c, asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	s.Clock.Advance(11 * time.Minute)
	return c, in
}

// stepUpBySSO is the flow of a change that partner has been asked to confirm.
func stepUpBySSO(s *authtest.Site, c login.Client, p login.Person) login.Flow {
	s.T.Helper()
	f, err := s.Machine.BeginStepUp(ctx, c, p, "/account/security", nil)
	s.Must(err)
	f, err = s.Machine.StepUpBySSO(ctx, p, f)
	s.Must(err)
	return f
}

// unaskedAnn is the flow of somebody of partner's whom nobody here has sent
// there.
func unaskedAnn(s *authtest.Site, c login.Client, change ...func(*login.Asserted)) login.Flow {
	s.T.Helper()
	key, err := s.Machine.KeepAnswer(ctx, nil, asserts(s, "ann", "ann@partner.example", change...))
	s.Must(err)
	f, err := s.Machine.Complete(ctx, c, key)
	s.Must(err)
	return f
}

// annsLogout is partner's request, with an ID, to end sessions of ann's.
func annsLogout(s *authtest.Site, id string, indexes ...string) login.ProviderLogout {
	return login.ProviderLogout{
		Provider: "partner", Entity: "https://idp.partner.example", ID: id, Until: s.Clock.Now().Add(time.Minute),
		NameID: "id-of-ann", Indexes: indexes,
	}
}

// arrives is a whole sign-in at the provider.
func arrives(s *authtest.Site, c login.Client, as login.Asserted) (login.SignedIn, error) {
	s.T.Helper()
	f, err := answered(s, c, askedProvider(s, c, as.Provider), as)
	if err != nil {
		return login.SignedIn{}, err
	}
	return s.Machine.Finish(ctx, c, f, authtest.Place(), "")
}

func wantRefused(t *testing.T, err error, reason string) {
	t.Helper()
	var r *login.SSORefused
	if !errors.As(err, &r) || r.Reason != reason {
		t.Fatalf("error %v, want the refusal %s", err, reason)
	}
}

func TestFirstSignInAtAProviderMakesAnAccount(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c := s.Client()
	in, err := arrives(s, c, asserts(s, "Ann", "Ann@Partner.example"))
	s.Must(err)
	a := in.Account
	if a.Name != "ann" || a.Email != "ann@partner.example" || a.DisplayName != "Some One" || a.Provider != "partner" ||
		!slices.Equal(a.Groups, []string{"staff", "partner:ops"}) {
		t.Errorf("account %+v", a)
	}
	got := s.Person(in)
	if got.Token.Level != session.LevelSecondFactor || got.Session.SSO == nil || got.Session.SSO.Index != "index-1" ||
		!slices.Equal(got.Session.AMR, []string{"pwd"}) {
		t.Errorf("session %+v", got.Session)
	}
	again, err := arrives(s, s.Client(), asserts(s, "renamed", "new@partner.example", func(as *login.Asserted) {
		as.SSO.NameID, as.Groups, as.Name = "id-of-Ann", []string{"a,b", "cn=staff"}, "Ann\r\nBcc: x"
	}))
	s.Must(err)
	if again.Account.ID != a.ID || again.Account.Name != "ann" {
		t.Errorf("the same identity is %s (%s), was %s", again.Account.ID, again.Account.Name, a.ID)
	}
	now, err := s.Durable.Account(ctx, a.ID)
	s.Must(err)
	if now.Email != "new@partner.example" || !slices.Equal(now.Groups, []string{"staff"}) || strings.ContainsAny(now.DisplayName, "\r\n") {
		t.Errorf("the account was not brought up to date: %+v", now)
	}
	if s.Events.Count(audit.AccountMadeBySSO) != 1 || s.Events.Count(audit.AccountUpdatedBySSO) != 1 || s.Events.Count(audit.GroupDropped) != 1 {
		t.Error("events are missing")
	}
}

// TestNoAccountIsTakenOver: SPEC F4, T93, V42, CVE-2025-23389.
func TestNoAccountIsTakenOver(t *testing.T) {
	t.Parallel()
	type world struct {
		*authtest.Site
		victim *authtest.Person
	}
	for name, c := range map[string]struct {
		victim []authtest.Option
		asUser string // what partner asserts
		email  string
		// reached: the victim's account is theirs by right. Else refusal, or
		// another account where it is "".
		reached bool
		refusal string
	}{
		"an address of another provider's domain":      {victim: []authtest.Option{authtest.Email("vic@other.example")}, asUser: "x", email: "vic@other.example"},
		"a local account's address":                    {victim: []authtest.Option{authtest.Email("vic@mail.example")}, asUser: "x", email: "vic@mail.example"},
		"the same in another case":                     {victim: []authtest.Option{authtest.Email("vic@mail.example")}, asUser: "x", email: "VIC@MAIL.example"},
		"the same in full width":                       {victim: []authtest.Option{authtest.Email("vic@mail.example")}, asUser: "x", email: "ｖｉｃ@mail.example"},
		"a look-alike of it":                           {victim: []authtest.Option{authtest.Email("vic@partner.example")}, asUser: "x", email: "vіc@partner.example"},
		"with a tag":                                   {victim: []authtest.Option{authtest.Email("vic@partner.example")}, asUser: "x", email: "vic+tag@partner.example"},
		"two @":                                        {victim: []authtest.Option{authtest.Email("vic@mail.example")}, asUser: "x", email: "vic@mail.example@partner.example"},
		"a local account's name":                       {asUser: "victim", email: "", refusal: "name_taken"},
		"the same in another case and width":           {asUser: "ＶＩＣＴＩＭ", email: "", refusal: "bad_user"},
		"a look-alike of the name":                     {asUser: "vіctim", email: "", refusal: "bad_user"},
		"a local account's address as a name":          {victim: []authtest.Option{authtest.Email("vic@mail.example")}, asUser: "vic@mail.example", refusal: "bad_user"},
		"its own domain's local account":               {victim: []authtest.Option{authtest.Email("vic@partner.example")}, asUser: "x", email: "vic@partner.example", reached: true},
		"its own domain's account of another provider": {victim: []authtest.Option{authtest.Email("vic@partner.example"), givenTo("other")}, asUser: "x", email: "vic@partner.example", refusal: "other_provider"},
		"an account that the operator gave it":         {victim: []authtest.Option{authtest.Email("vic@mail.example"), givenTo("partner")}, asUser: "x", email: "vic@mail.example", reached: true},
		"the same by name":                             {victim: []authtest.Option{givenTo("partner")}, asUser: "victim", reached: true},
		"one that was given to another":                {victim: []authtest.Option{givenTo("other")}, asUser: "victim", refusal: "name_taken"},
		"a disabled account of its domain":             {victim: []authtest.Option{authtest.Email("vic@partner.example"), authtest.Disabled}, asUser: "x", email: "vic@partner.example", refusal: "account_disabled"},
		"no address at all":                            {asUser: "somebody"},
		"a name with an @ of its own domain":           {asUser: "who@partner.example"},
		"a header's worth of name":                     {asUser: "x\r\nRemote-Groups: ops", refusal: "bad_user"},
		"the name of a break-glass account to come":    {asUser: "root", refusal: "bad_user"},
		"an empty name":                                {asUser: "", refusal: "bad_user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world{Site: authtest.New(t, withProviders())}
			w.victim = w.Add("victim", c.victim...)
			before := w.victim.Account()
			in, err := arrives(w.Site, w.Client(), asserts(w.Site, c.asUser, c.email))
			after := w.victim.Account()
			switch {
			case c.refusal != "":
				wantRefused(t, err, c.refusal)
			case err != nil:
				t.Fatal(err)
			case (in.Account.ID == w.victim.ID) != c.reached:
				t.Fatalf("they are %s", in.Account.Name)
			}
			if !c.reached && !cmp.Equal(before, after, cmp.AllowUnexported(secret.Text{})) {
				t.Errorf("the victim's account changed:\n%s", cmp.Diff(before, after, cmp.AllowUnexported(secret.Text{})))
			}
			for _, g := range in.Account.Groups {
				if g == "ops" {
					t.Error("a group of ours without a line for it")
				}
			}
		})
	}
}

func givenTo(provider string) authtest.Option {
	return func(_ *authtest.Person, a *account.Account) { a.Provider = provider }
}

// A break-glass account is what is left when a provider fails or is in wrong
// hands, so none ever opens it.
func TestNoProviderOpensABreakGlassAccount(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders(func(s *login.Settings) { s.BreakGlass = append(s.BreakGlass, "boss@partner.example") }))
	s.Add("root", authtest.Email("root@partner.example"), authtest.WithApp)
	boss := s.Add("boss", authtest.Email("boss@partner.example"), authtest.WithApp, authtest.WithCodes(3))
	_, err := arrives(s, s.Client(), asserts(s, "x", "root@partner.example"))
	wantRefused(t, err, "break_glass")
	_, err = arrives(s, s.Client(), asserts(s, "y", "boss@partner.example"))
	wantRefused(t, err, "break_glass")
	s.SignIn(s.Client(), boss)
	if s.Events.Count(audit.BreakGlassUsed) != 1 {
		t.Error("its use raised no alarm")
	}
}

// The same NameID at two providers is two people (T92).
func TestIdentityIsOfItsProvider(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	one, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	other := asserts(s, "", "", func(as *login.Asserted) {
		as.Provider, as.SSO.Provider, as.SSO.Entity, as.SSO.NameID = "other", "other", "https://idp.other.example", one.Session.SSO.NameID
	})
	two, err := arrives(s, s.Client(), other)
	s.Must(err)
	if one.Account.ID == two.Account.ID {
		t.Error("one account for two identities")
	}
	// Another provider that calls itself by the same entity ID (T92).
	third := asserts(s, "", "", func(as *login.Asserted) {
		as.Provider, as.SSO.Provider = "other", "other"
		as.SSO.NameID = one.Session.SSO.NameID
	})
	_, err = arrives(s, s.Client(), third)
	wantRefused(t, err, "other_provider")
}

// An address that the provider gives to somebody new does not give them what
// was the old one's.
func TestReusedAddressIsNotThePerson(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	_, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	_, err = arrives(s, s.Client(), asserts(s, "ann2", "ann@partner.example"))
	wantRefused(t, err, "other_identity")
}

func TestWithoutCreateAccountsAnOperatorMakesThem(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders(func(s *login.Settings) {
		p := s.Providers["partner"]
		p.CreateAccounts = false
		s.Providers["partner"] = p
	}))
	_, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	wantRefused(t, err, "no_account")
	s.Add("ann", givenTo("partner"))
	in, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	if in.Account.Name != "ann" || s.Events.Count(audit.IdentityLinked) != 1 {
		t.Errorf("they are %s", in.Account.Name)
	}
}

// TestProvidersAccountsNeverSignInHere: SPEC F2, T44. The words are those of a
// wrong password, and the proof is that the password is right.
func TestProvidersAccountsNeverSignInHere(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	for _, p := range []*authtest.Person{
		s.Add("flagged", givenTo("partner"), authtest.WithApp),
		s.Add("domain", authtest.Email("d@partner.example"), authtest.WithApp),
		s.Add("upper", authtest.Email("u@partner.example")),
		s.Add("name@partner.example"),
	} {
		f, err := password(s, s.Client(), p.Name, p.Password)
		wantProblem(t, f, err, "signin.failed")
	}
	ann := s.Add("ann", authtest.Email("ann@mail.example"))
	s.SignIn(s.Client(), ann) // the control
	if s.Events.Count(audit.SignInRefused) != 4 {
		t.Error("an operator is not told why")
	}
}

// TestRoutingGoesByDomainAlone: SPEC B1, B4 of SECURITY's decision 14.
func TestRoutingGoesByDomainAlone(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	s.Add("known", authtest.Email("known@partner.example"))
	s.Add("flagged", authtest.Email("flagged@mail.example"), givenTo("partner"))
	for identifier, provider := range map[string]string{
		"known@partner.example": "partner", "nobody@PARTNER.example": "partner", " x@ｐartner.example ": "partner", "a@other.example": "other",
		"known": "", "flagged": "", "flagged@mail.example": "", "nobody@mail.example": "", "x@sub.partner.example": "", "a@b@partner.example": "",
	} {
		c := s.Client()
		f, err := s.Machine.SubmitIdentifier(ctx, s.Begin(c), identifier)
		s.Must(err)
		got := ""
		if f.SSO != nil {
			got = f.SSO.Provider
		}
		if got != provider {
			t.Errorf("%q leads to %q, want %q", identifier, got, provider)
		}
	}
}

// TestOneAnswerIsOneSession: V43, T80.
func TestOneAnswerIsOneSession(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c := s.Client()
	f := askedProvider(s, c, "partner")
	r, err := s.Machine.PendingRequest(ctx, f.SSO.Request)
	s.Must(err)
	as := asserts(s, "ann", "ann@partner.example")
	var mu sync.Mutex
	var keys []string
	together(50, func(int) {
		if key, err := s.Machine.KeepAnswer(ctx, &r, as); err == nil {
			mu.Lock()
			keys = append(keys, key)
			mu.Unlock()
		}
	})
	if len(keys) != 1 {
		t.Fatalf("%d of 50 equal answers were kept", len(keys))
	}
	_, err = s.Machine.PendingRequest(ctx, f.SSO.Request)
	wantErr(t, err, account.ErrNotFound)
	done := 0
	together(50, func(int) {
		if _, err := s.Machine.Complete(ctx, c, keys[0]); err == nil {
			mu.Lock()
			done++
			mu.Unlock()
		}
	})
	if done != 1 {
		t.Errorf("the answer was fetched %d times", done)
	}
	// The assertion once more, for a request of its own.
	f = askedProvider(s, c, "partner")
	r, err = s.Machine.PendingRequest(ctx, f.SSO.Request)
	s.Must(err)
	_, err = s.Machine.KeepAnswer(ctx, &r, as)
	wantRefused(t, err, "replayed")
}

// An answer is good in the browser that asked for it, once, for two minutes
// (T85, T94).
func TestAnswerIsForTheBrowserThatAsked(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	victim, attacker := s.Client(), s.Client()
	keep := func() (string, login.Flow) {
		f := askedProvider(s, attacker, "partner")
		return kept(s, f, asserts(s, "eve", "eve@partner.example")), f
	}
	key, _ := keep()
	_, err := s.Machine.Complete(ctx, victim, key)
	wantRefused(t, err, "wrong_browser")
	_, err = s.Machine.Complete(ctx, attacker, key) // spent by the wrong presentation
	wantRefused(t, err, "answer_gone")
	key, _ = keep()
	_, err = s.Machine.Complete(ctx, login.Client{}, key)
	wantRefused(t, err, "wrong_browser")
	key, _ = keep()
	s.Clock.Advance(login.AnswerLife)
	_, err = s.Machine.Complete(ctx, attacker, key)
	wantRefused(t, err, "answer_gone")
	key, f := keep()
	_, err = s.Machine.AskProvider(ctx, s.Load(attacker, f), "partner", false) // begun anew meanwhile
	s.Must(err)
	_, err = s.Machine.Complete(ctx, attacker, key)
	wantErr(t, err, login.ErrNoFlow)
}

// What a provider began is a session only once the person says so (SPEC F3).
func TestUnaskedAnswerWaitsForAWord(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c := s.Client()
	f := unaskedAnn(s, c)
	if step := s.Next(f); step != login.StepConfirmSSO {
		t.Fatalf("next is %s", step)
	}
	_, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	wantErr(t, err, login.ErrNotNext)
	f, err = s.Machine.ConfirmUnasked(ctx, s.Load(c, f))
	s.Must(err)
	if _, err = s.Machine.Finish(ctx, c, f, authtest.Place(), ""); err != nil {
		t.Error(err)
	}
	// The word is of use in such a flow alone.
	asking := askedProvider(s, c, "partner")
	if _, err = s.Machine.ConfirmUnasked(ctx, asking); err == nil {
		t.Error("a flow without an answer was confirmed")
	}
}

func TestSessionEndsWithTheProviders(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	until := s.Clock.Now().Add(2 * time.Hour)
	in, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example", func(as *login.Asserted) { as.SessionUntil = until }))
	s.Must(err)
	if !in.Session.Expires.Equal(until) {
		t.Errorf("it ends %s, want %s", in.Session.Expires, until)
	}
	long, err := arrives(s, s.Client(), asserts(s, "bob", "bob@partner.example", func(as *login.Asserted) { as.SessionUntil = until.AddDate(1, 0, 0) }))
	s.Must(err)
	if want := s.Clock.Now().Add(s.Machine.Settings.SessionLife); long.Session.Expires.After(want) {
		t.Errorf("it ends %s, ours end %s", long.Session.Expires, want)
	}
}

// Disabling stays, whatever the provider says (SPEC F2, V61), and ends what
// was under way.
func TestDisabledAccountStaysDisabled(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	in, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	c := s.Client()
	f, err := answered(s, c, askedProvider(s, c, "partner"), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	s.Clock.Advance(time.Second)
	s.Must(s.Durable.ChangeAccount(ctx, in.Account.ID, s.Clock.Now(), true, func(a *account.Account) error { a.Disabled = true; return nil }))
	_, err = s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	wantErr(t, err, login.ErrNoFlow)
	_, err = arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	wantRefused(t, err, "account_disabled")
	if a, err := s.Durable.Account(ctx, in.Account.ID); err != nil || !a.Disabled {
		t.Errorf("it is enabled again (%v)", err)
	}
}

// A change is confirmed by a new proof from the person's own provider (SPEC
// D2), and by nobody else's.
func TestStepUpAtTheProvider(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c, in := staleAnn(s)
	p := s.Person(in)
	if s.Machine.Fresh(p) {
		t.Fatal("eleven minutes are fresh")
	}
	begin := func() login.Flow {
		f := stepUpBySSO(s, c, p)
		if !f.SSO.Fresh {
			t.Fatal("no new proof is asked for")
		}
		return f
	}
	_, err := answered(s, c, begin(), asserts(s, "eve", "eve@partner.example"))
	wantRefused(t, err, "wrong_person")
	f, err := answered(s, c, begin(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	cred, err := s.Machine.FinishStepUp(ctx, c, p, f, authtest.Place())
	s.Must(err)
	if cred.ID != p.Session.ID || !s.Machine.Fresh(s.Person(in)) {
		t.Error("the proof does not count")
	}
	_, err = s.Machine.BeginEnrol(ctx, c, s.Person(in), "") // second factors are the provider's
	wantErr(t, err, login.ErrNotAllowed)
	_, err = s.Machine.BeginCodes(ctx, c, s.Person(in))
	wantErr(t, err, login.ErrNotAllowed)
}

// TestLogoutEndsWhatItNamesAndNothingElse: SPEC F6, R75, T97.
func TestLogoutEndsWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	with := func(index string) func(*login.Asserted) { return func(as *login.Asserted) { as.SSO.Index = index } }
	first, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example", with("one")))
	s.Must(err)
	second, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example", with("two")))
	s.Must(err)
	bob, err := arrives(s, s.Client(), asserts(s, "bob", "bob@partner.example", with("one")))
	s.Must(err)
	alive := func(in login.SignedIn) bool {
		_, err := s.Short.Session(ctx, in.Session.ID)
		return err == nil
	}
	logout := func(id, entity, nameID string, indexes ...string) (int, error) {
		return s.Machine.EndByProvider(ctx, s.Client(), login.ProviderLogout{
			Provider: "partner", Entity: entity, ID: id, Until: s.Clock.Now().Add(time.Minute), NameID: nameID, Indexes: indexes,
		})
	}
	entity := "https://idp.partner.example"
	for id, c := range map[string]struct{ entity, nameID, index string }{
		"a": {"https://idp.other.example", "id-of-ann", "one"}, "b": {entity, "id-of-nobody", "one"}, "c": {entity, "id-of-ann", "three"}, "d": {entity, "ID-of-ann", "one"},
	} {
		n, err := logout(id, c.entity, c.nameID, c.index)
		if n != 0 || err != nil || !alive(first) || !alive(second) || !alive(bob) {
			t.Fatalf("%s ended %d sessions (%v)", id, n, err)
		}
	}
	if n, err := logout("e", entity, "id-of-ann", "one"); n != 1 || err != nil || alive(first) || !alive(second) || !alive(bob) {
		t.Fatalf("ended %d (%v)", n, err)
	}
	_, err = logout("e", entity, "id-of-ann", "two")
	wantRefused(t, err, "replayed")
	if !alive(second) {
		t.Fatal("a request that came again ended a session")
	}
	if n, err := logout("f", entity, "id-of-ann"); n != 1 || err != nil || alive(second) || !alive(bob) {
		t.Fatalf("ended %d (%v)", n, err)
	}
}
