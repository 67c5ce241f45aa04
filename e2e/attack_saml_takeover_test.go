package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A takeover is somebody at a provider of whom it says what it should not.
type takeover struct {
	what    string
	subject string              // "" for one of nobody's
	tells   map[string][]string // uid, mail, groups
	// reaches is the account that this opens, "own" for one of the person's
	// own with the name that uid says or that is made up; "" for none.
	reaches string
	// groups are what the app is told, "" for none.
	groups string
	email  string // the account's, "" for none
	kind   string // of the page, where nothing is reached
}

// atPartner are what the provider that owns partner.test asserts, with an
// attribute for the name.
var atPartner = []takeover{
	{what: "an address of another provider's domain", tells: is("m0", "carol@third.test"), reaches: "m0"},
	{what: "an address of nobody's domain, a local account's", tells: is("m1", "bob@example.com"), reaches: "m1"},
	{what: "its other case", tells: is("m2", "BOB@Example.COM"), reaches: "m2"},
	{what: "in full width", tells: is("m3", "ｂｏｂ＠ｅｘａｍｐｌｅ．ｃｏｍ"), reaches: "m3"},
	{what: "with a Cyrillic letter", tells: is("m4", "bоb@example.com"), reaches: "m4"},
	{what: "with a tag", tells: is("m5", "bob+x@example.com"), reaches: "m5"},
	{what: "with two @, the provider's domain last", tells: is("m6", "bob@example.com@partner.test"), reaches: "m6"},
	{what: "with two @, the provider's domain first", tells: is("m7", "m7@partner.test@example.com"), reaches: "m7"},
	{what: "quoted", tells: is("m8", `"bob@example.com"@partner.test`), reaches: "m8"},
	{what: "with a comma", tells: is("m9", "m9@partner.test,bob@example.com"), reaches: "m9"},
	{what: "with a line", tells: is("m10", "m10@partner.test\nbob@example.com"), reaches: "m10"},
	{what: "a subdomain of its domain", tells: is("m11", "m11@sub.partner.test"), reaches: "m11"},
	{what: "a domain that ends as its own", tells: is("m12", "m12@notpartner.test"), reaches: "m12"},
	{what: "two addresses, the other's first", tells: map[string][]string{"uid": {"m13"}, "mail": {"bob@example.com", "m13@partner.test"}}, reaches: "m13", email: "m13@partner.test"},
	{what: "two names", tells: map[string][]string{"uid": {"m14", "bob"}, "mail": {"m14@partner.test"}}, reaches: "m14", email: "m14@partner.test"},

	{what: "a local account's name", tells: is("bob", "n0@partner.test"), kind: "notallowed"},
	{what: "its other case as a name", tells: is("BOB", "n1@partner.test"), kind: "notallowed"},
	{what: "a name in full width", tells: is("ｂｏｂ", "n2@partner.test"), kind: "notallowed"},
	{what: "a name with a Cyrillic letter", tells: is("bоb", "n3@partner.test"), kind: "notallowed"},
	{what: "a name with a space at its end", tells: is("bob ", "n4@partner.test"), kind: "notallowed"},
	{what: "a name with an invisible character", tells: is("bob\u200b", "n5@partner.test"), kind: "notallowed"},
	{what: "a local account's address as a name", tells: is("bob@example.com", "n6@partner.test"), kind: "notallowed"},
	{what: "the name of another provider's account", tells: is("carol", "n7@partner.test"), kind: "notallowed"},
	{what: "its address as a name", tells: is("carol@third.test", "n8@partner.test"), kind: "notallowed"},
	{what: "an account that the operator gave the other provider", tells: is("vera", "n10@partner.test"), kind: "notallowed"},
	{what: "that account's address", tells: is("n11", "vera@elsewhere.test"), reaches: "n11"},
	{what: "no name", tells: map[string][]string{"uid": {}, "mail": {"n9@partner.test"}}, kind: "notallowed"},

	{what: "the name of a break-glass account", tells: is("rescue", "o0@partner.test"), kind: "notallowed"},
	{what: "its other case", tells: is("Rescue", "o1@partner.test"), kind: "notallowed"},
	{what: "its address", tells: is("o2", "rescue@example.com"), reaches: "o2"},
	{what: "a break-glass address of the provider's domain", tells: is("o3", "boss@partner.test"), kind: "notallowed"},
	{what: "that in another case", tells: is("o4", "Boss@Partner.Test"), kind: "notallowed"},
	{what: "that as a name", tells: is("boss@partner.test", "o5@partner.test"), kind: "notallowed"},
	{what: "the name of the account with that address", tells: is("chief", "o6@partner.test"), kind: "notallowed"},

	{what: "a person that it knows already, as somebody else", tells: is("ada", "ada@partner.test"), kind: "notallowed"},
	{what: "the name of somebody that it knows, and another address", tells: is("ada", "p1@partner.test"), kind: "notallowed"},

	{what: "groups of ours", tells: groups("q0", "ops", "admins"), reaches: "q0", email: "q0@partner.test", groups: "partner:ops,partner:admins"},
	{what: "a group that has a name here", tells: groups("q1", "engineers"), reaches: "q1", email: "q1@partner.test", groups: "builders"},
	{what: "that name itself", tells: groups("q2", "builders"), reaches: "q2", email: "q2@partner.test", groups: "partner:builders"},
	{what: "a list in one group", tells: groups("q3", "staff,ops"), reaches: "q3", email: "q3@partner.test"},
	{what: "lines in one group", tells: groups("q4", "staff\nops", "staff\r\nRemote-User: bob"), reaches: "q4", email: "q4@partner.test"},
	{what: "a group of the other provider's", tells: groups("q5", "third:staff", "../ops", ":ops", "ops;x"), reaches: "q5", email: "q5@partner.test", groups: "partner:third:staff,partner::ops"},
	{what: "lines in the name that people read", tells: map[string][]string{"uid": {"q6"}, "mail": {"q6@partner.test"}, "displayName": {"Ada\r\nRemote-Groups: ops"}}, reaches: "q6", email: "q6@partner.test"},
}

// atThird are what the provider asserts that has no attribute for names: they
// come of the NameID.
var atThird = []takeover{
	{what: "a NameID that is a local account's name", subject: "bob", tells: is("x", "r0@third.test"), kind: "notallowed"},
	{what: "its other case", subject: "BOB", tells: is("x", "r1@third.test"), kind: "notallowed"},
	{what: "a NameID that is a local account's address", subject: "bob@example.com", tells: is("x", "r2@third.test"), reaches: "r2@third.test", email: "r2@third.test"},
	{what: "a NameID that is an account of the partner's", subject: "ada", tells: is("x", "r3@third.test"), kind: "notallowed"},
	{what: "a NameID that is an address of the partner's", subject: "ada@partner.test", tells: is("x", "r4@third.test"), reaches: "r4@third.test", email: "r4@third.test"},
	{what: "a NameID that is a break-glass name", subject: "rescue", tells: is("x", "r5@third.test"), reaches: "r5@third.test", email: "r5@third.test"},
	{what: "a NameID that is a break-glass address, and no other", subject: "boss@partner.test", tells: is("x", "boss@partner.test"), reaches: "own"},
	{what: "the address of somebody that it knows, as another person", subject: "carol-2", tells: is("x", "carol@third.test"), kind: "notallowed"},
	{what: "the address of a disabled account, as another person", subject: "gone-2", tells: is("x", "gone@third.test"), kind: "notallowed"},
	{what: "an address of the partner's domain, nobody's yet", subject: "r7", tells: is("x", "later@partner.test"), reaches: "r7"},
}

func is(uid, mail string) map[string][]string {
	return map[string][]string{"uid": {uid}, "mail": {mail}}
}

func groups(uid string, g ...string) map[string][]string {
	return map[string][]string{"uid": {uid}, "mail": {uid + "@partner.test"}, "groups": g}
}

// theirOwn is somebody whose account is called as the NameID.
func theirOwn(name string) idpUser {
	return idpUser{Name: name, Password: "pass-of-" + name, Subject: name, Mail: name + "@third.test", Display: name}
}

// users are the people of a table, as the provider has them.
func users(prefix string, table []takeover) (list []idpUser) {
	for i, row := range table {
		name := fmt.Sprintf("%s%d", prefix, i)
		subject := row.subject
		if subject == "" {
			subject = "subject-of-" + name
		}
		list = append(list, idpUser{Name: name, Password: "pass-of-" + name, Subject: subject, Display: "Somebody", Tells: row.tells})
	}
	return list
}

// TestProviderTakesNoAccountOver: T92, T93, V42, V58 to V61; SPEC F2, F4.
func TestProviderTakesNoAccountOver(t *testing.T) {
	t.Parallel()
	f := startFederation(t, unlimited, append(users("mallory", atPartner), idpUsers...),
		append(users("trudy", atThird), theirOwn("carol"), theirOwn("gone"),
			idpUser{Name: "vera", Password: "pass-of-vera", Subject: "subject-of-vera", Mail: "vera@elsewhere.test", Display: "Vera"}))
	newAccount(t, f.nodes[0], "bob", "--group", "ops")
	for _, args := range [][]string{
		{"rescue", "--email", "rescue@example.com"},
		{"chief", "--email", "boss@partner.test"},
		{"vera", "--email", "vera@elsewhere.test", "--sso", "third"},
	} {
		if _, err := f.nodes[0].Run("", append([]string{"account", "add", "--group", "ops"}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	for name, p := range map[string]*identityProvider{"ada": f.partner, "carol": f.third, "gone": f.third} {
		if end := newClient(t, f.nodes[0], "app.test").enter(p, name, "/x", name+"@"+f.named(p)+".test"); end.Text("user") != name {
			t.Fatalf("%s's own sign-in ends at %s (%d)", name, end.URL, end.Status)
		}
	}
	if _, err := f.nodes[0].Run("", "account", "disable", "gone"); err != nil {
		t.Fatal(err)
	}
	victims := f.accounts(t)
	if len(victims) != 7 {
		t.Fatalf("the victims: %+v", victims)
	}

	try := func(p *identityProvider, user string, row takeover) {
		t.Helper()
		b := newClient(t, f.nodes[0], "app.test")
		got := b.answered(p, user, b.half("/x", "anybody@"+f.named(p)+".test"))
		a := got.delivered(t, f.nodes[1])
		if completes(a) {
			a = b.Get(a.Location())
		}
		if row.reaches == "" {
			if problem(a) != row.kind || hasSession(a) {
				t.Errorf("%s: %d to %q, want the page %q", row.what, a.Status, a.Location(), row.kind)
			}
			page := b.Follow(a)
			clearPage(t, row.what, page.Status, page.Body)
			if who := f.user(b); who != "" {
				t.Errorf("%s: reaches the app as %q", row.what, who)
			}
		} else {
			end := b.Follow(a)
			who, header := end.Text("user"), f.app.Last().Header
			if who == "" || who != row.reaches && row.reaches != "own" {
				t.Errorf("%s: ends at %s (%d) as %q, want %q", row.what, end.URL, end.Status, who, row.reaches)
				return
			}
			if header.Get("Remote-User") != who || header.Get("Remote-Groups") != row.groups || header.Get("Remote-Email") != row.email {
				t.Errorf("%s: the app is told %q, groups %q, e-mail %q; want groups %q, e-mail %q",
					row.what, header.Get("Remote-User"), header.Get("Remote-Groups"), header.Get("Remote-Email"), row.groups, row.email)
			}
			if _, theirs := victims[who]; theirs {
				t.Errorf("%s: reaches %s", row.what, who)
			}
			if own := f.accounts(t)[who]; own.Provider != f.named(p) || own.Email != row.email {
				t.Errorf("%s: the account %+v", row.what, own)
			}
		}
		now := f.accounts(t)
		for name, before := range victims {
			if diff := cmp.Diff(before, now[name]); diff != "" {
				t.Errorf("%s: the account %s is another than before: %s", row.what, name, diff)
				victims[name] = now[name]
			}
		}
	}
	for i, row := range atPartner {
		try(f.partner, fmt.Sprintf("mallory%d", i), row)
	}
	for i, row := range atThird {
		try(f.third, fmt.Sprintf("trudy%d", i), row)
	}
	for _, name := range []string{"carol", "vera"} {
		if end := newClient(t, f.nodes[0], "app.test").enter(f.third, name, "/x", name+"@third.test"); end.Text("user") != name {
			t.Errorf("%s's own sign-in afterwards ends at %s (%d): the refusals above prove too much", name, end.URL, end.Status)
		}
	}
	if n := f.sessions(t, "bob") + f.sessions(t, "rescue") + f.sessions(t, "chief") + f.sessions(t, "gone"); n != 0 {
		t.Errorf("%d sessions of people who did not sign in", n)
	}
}

// TestDisabledStaysDisabled: T44, V61, SPEC F2. Sessions end on both nodes, and
// no word of the provider's opens the account again.
func TestDisabledStaysDisabled(t *testing.T) {
	t.Parallel()
	f := startFederation(t, unlimited, idpUsers, idpUsers)
	b := newClient(t, f.nodes[0], "app.test")
	if end := b.enter(f.partner, "ada", "/x", "ada@partner.test"); end.Text("user") != "ada" {
		t.Fatalf("the first sign-in ends at %s (%d)", end.URL, end.Status)
	}
	late := newClient(t, f.nodes[1], "app.test") // has its answer already
	got := late.answered(f.partner, "ada", late.half("/x", "ada@partner.test")).delivered(t, f.nodes[1])
	before := f.accounts(t)["ada"]
	f.remembered(t, "ada", b, b.at(f.nodes[1]))
	if _, err := f.nodes[0].Run("", "account", "disable", "ada"); err != nil {
		t.Fatal(err)
	}
	f.gone(t, "being disabled", b, b.at(f.nodes[1]))
	if a := late.Get(got.Location()); problem(a) != "notallowed" {
		t.Errorf("an answer from before: %d to %q", a.Status, a.Location())
	}
	for _, g := range f.nodes {
		c := newClient(t, g, "app.test")
		a := c.answered(f.partner, "ada", c.half("/x", "ada@partner.test")).delivered(t, g)
		if completes(a) {
			a = c.Get(a.Location())
		}
		if problem(a) != "notallowed" || f.user(c) != "" {
			t.Errorf("disabled, and signed in at the provider: %d to %q", a.Status, a.Location())
		}
	}
	before.Disabled = true
	if diff := cmp.Diff(before, f.accounts(t)["ada"]); diff != "" {
		t.Errorf("the account is another than before: %s", diff)
	}
	if n := f.refusals(t)["account_disabled"]; n != 3 {
		t.Errorf("%d events name the reason, want 3", n)
	}
	if _, err := f.nodes[0].Run("", "account", "enable", "ada"); err != nil {
		t.Fatal(err)
	}
	if end := b.enter(f.partner, "ada", "/x", "ada@partner.test"); end.Status != http.StatusOK || !strings.Contains(end.Text("user"), "ada") {
		t.Errorf("enabled again: ends at %s (%d)", end.URL, end.Status)
	}
}
