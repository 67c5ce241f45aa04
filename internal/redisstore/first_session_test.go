package redisstore

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// A session as the first release wrote it.
var firstHash = map[string]string{
	"account": "mvwg2zlomfzgk3tuovzgk3ten4",
	"record": `{"v":1,"value":{"ID":"n7pprcjkp45fbmfh4lc3akoahy","Account":"mvwg2zlomfzgk3tuovzgk3ten4",` +
		`"Created":"2026-05-04T03:02:01.123456789Z","Expires":"2126-05-05T03:02:01Z","Idle":3600000000000,` +
		`"AMR":["pwd","otp"],"Network":"2001:db8::/64","Browser":"Firefox on Linux","Previous":"2026-05-03T03:02:01Z","Tokens":null}}`,
	"token portal login.example": `{"v":1,"value":{"Hash":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32],` +
		`"Purpose":"portal","Host":"login.example","Level":2,"PasswordAt":"2026-05-04T03:01:30Z","FactorAt":"2026-05-04T03:02:00Z",` +
		`"FactorKind":"app","Issued":"2026-05-04T03:02:01.123456789Z"}}`,
	"token app app.example": `{"v":1,"value":{"Hash":[9,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],` +
		`"Purpose":"app","Host":"app.example","Level":1,"PasswordAt":"2026-05-04T03:01:30Z","FactorAt":"0001-01-01T00:00:00Z",` +
		`"FactorKind":"","Issued":"2026-05-04T03:02:05Z"}}`,
}

func firstSession() session.Session {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	v := session.Session{
		ID: "n7pprcjkp45fbmfh4lc3akoahy", Account: "mvwg2zlomfzgk3tuovzgk3ten4",
		Created: at.Add(123456789), Expires: at.AddDate(100, 0, 1), Idle: time.Hour, AMR: []string{"pwd", "otp"},
		Network: "2001:db8::/64", Browser: "Firefox on Linux", Previous: at.AddDate(0, 0, -1),
		Tokens: []session.Token{
			{
				Purpose: session.ForPortal, Host: "login.example", Level: session.LevelSecondFactor, Issued: at.Add(123456789),
				PasswordAt: at.Add(-31 * time.Second), FactorAt: at.Add(-time.Second), FactorKind: account.KindApp,
			},
			{Purpose: session.ForApp, Host: "app.example", Hash: [32]byte{9}, Level: session.LevelPassword, Issued: at.Add(4 * time.Second), PasswordAt: at.Add(-31 * time.Second)},
		},
	}
	for i := range v.Tokens[0].Hash {
		v.Tokens[0].Hash[i] = byte(i + 1)
	}
	return v
}

func TestSessionsOfTheFirstReleaseGoOn(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s, ctx, want := openAt(t, server.Addr), context.Background(), firstSession()
	admin := raw(t, server.Addr)
	must(t, admin.HSet(ctx, s.keys.session(want.ID), firstHash).Err())
	is := func(doing string) {
		t.Helper()
		got, err := s.Session(ctx, want.ID)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", doing, diff)
		}
	}
	is("as it was")

	// A token that is set anew is the only one of its place: the one before is
	// dead.
	risen := want.Tokens[1]
	risen.Hash, risen.Level, risen.Issued = [32]byte{10}, session.LevelSecondFactor, risen.Issued.Add(time.Minute)
	must(t, s.SetToken(ctx, want.ID, risen))
	want.Tokens[1] = risen
	is("with a new token")
	if n := admin.HExists(ctx, s.keys.session(want.ID), "token app app.example").Val(); n {
		t.Error("nodes of the first release still believe the token before")
	}

	// And so is one that a node of the first release sets.
	must(t, admin.HSet(ctx, s.keys.session(want.ID), "token app app.example", firstHash["token app app.example"]).Err())
	want.Tokens[1] = firstSession().Tokens[1]
	is("with a token of an older node")

	must(t, s.EndSession(ctx, want.ID))
	if _, err := s.Session(ctx, want.ID); err != session.ErrNotFound {
		t.Error(err)
	}
}

// damagedFirstSessions are hashes that a node of the first release did not
// write either.
func damagedFirstSessions(id session.ID, owner account.ID) map[string]map[string]string {
	good := maps.Clone(firstHash)
	good["record"] = strings.Replace(strings.Replace(good["record"], "n7pprcjkp45fbmfh4lc3akoahy", string(id), 1),
		"mvwg2zlomfzgk3tuovzgk3ten4", string(owner), 1)
	good["account"] = string(owner)
	all := map[string]map[string]string{}
	for what, c := range map[string]struct{ field, value string }{
		"empty":              {"record", ""},
		"not JSON":           {"record", "{"},
		"JSON null":          {"record", "null"},
		"no value":           {"record", `{"v":1}`},
		"old schema":         {"record", strings.Replace(good["record"], `"v":1`, `"v":0`, 1)},
		"wrong types":        {"record", `{"v":1,"value":{"ID":7}}`},
		"ten megabytes":      {"record", good["record"] + strings.Repeat(" ", 10<<20)},
		"another's record":   {"record", firstHash["record"]},
		"another's account":  {"account", "mallory"},
		"tokens inside":      {"record", strings.Replace(good["record"], `"Tokens":null`, `"Tokens":[{}]`, 1)},
		"damaged token":      {"token app app.example", "{"},
		"empty token":        {"token app app.example", ""},
		"token of elsewhere": {"token app other.example", good["token app app.example"]},
	} {
		hash := maps.Clone(good)
		hash[c.field] = c.value
		all["first release: "+what] = hash
	}
	return all
}
