package redisstore

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// hashOf is what Redis has of a session.
func hashOf(v session.Session) map[string]string {
	fields, hash := sessionFields(v), map[string]string{}
	for i := 0; i < len(fields); i += 2 {
		hash[fields[i].(string)] = fields[i+1].(string)
	}
	return hash
}

// read decodes a session's hash, at a time before its end.
func read(id session.ID, hash map[string]string) (session.Session, error) {
	s := &Store{now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }}
	return s.readSession("reading", answer{id, redis.NewMapStringStringResult(hash, nil), redis.NewStringResult("", redis.Nil)})
}

func TestEveryFieldOfASessionSurvives(t *testing.T) {
	t.Parallel()
	var full session.Session
	fill(t, reflect.ValueOf(&full).Elem())
	full.Tokens[0].Purpose, full.Tokens[1].Purpose = session.ForApp, session.ForPortal
	for i := range full.Tokens {
		full.Tokens[i].Host = "app.example:8443"
	}
	at := full.Created
	times := full
	times.SSO, times.AMR, times.Previous = nil, nil, time.Time{}
	times.Expires, times.Idle = at.Add(400*24*time.Hour), 90*time.Second
	times.Tokens = []session.Token{
		{Purpose: session.ForPortal, Host: "a.example", Issued: at.Add(-time.Hour)},
		{Purpose: session.ForApp, Host: strings.Repeat("long.", 40) + "example", Issued: at, PasswordAt: at.Add(-time.Hour), FactorAt: at.Add(time.Second)},
		{Purpose: session.ForApp, Host: "z.example", Issued: at, PasswordAt: at.Add(-1000 * time.Hour)},
	}
	for i, kind := range []account.Kind{account.KindBackup, account.KindPhone, "", "new"} {
		times.Tokens = append(times.Tokens, session.Token{
			Purpose: session.ForApp, Host: fmt.Sprint(i, ".example"), FactorKind: kind,
			Issued: at.Add(time.Duration(i+1) * time.Minute), FactorAt: at.Add(-time.Microsecond),
		})
	}
	empty := session.Session{ID: "sid", Account: "alice", Expires: at, SSO: new(session.SSO)}
	for what, want := range map[string]session.Session{"full": full, "times": times, "empty": empty} {
		got, err := read(want.ID, hashOf(want))
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", what, diff)
		}
	}
	// Rounded down, as SQL rounds what these times are compared with.
	full.Created = at.Add(999 * time.Nanosecond)
	got, err := read(full.ID, hashOf(full))
	must(t, err)
	if !got.Created.Equal(at) {
		t.Errorf("%s is kept as %s", full.Created, got.Created)
	}
}

// What a later release adds to a session is passed over by this one.
func TestSessionsOfALaterReleaseAreRead(t *testing.T) {
	t.Parallel()
	want := aSession("alice")
	want.Created, want.Expires = want.Created.Truncate(time.Microsecond), want.Expires.Truncate(time.Microsecond)
	want.Tokens[0].Issued = want.Created
	hash := hashOf(want)
	hash["later"] = "what this one does not know"
	got, err := read(want.ID, hash)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// damagedSessions are hashes under v's key that nobody of us wrote.
func damagedSessions(t *testing.T, v session.Session) map[string]map[string]string {
	t.Helper()
	good := hashOf(v)
	if _, err := read(v.ID, good); err != nil {
		t.Fatalf("the undamaged one: %v", err)
	}
	other := v
	other.ID, other.Tokens = "another", []session.Token{v.Tokens[0]}
	field := v.Tokens[0].Place()
	all := map[string]map[string]string{}
	damage := func(what string, change func(map[string]string)) {
		hash := maps.Clone(good)
		change(hash)
		all[what] = hash
	}
	set := func(name, value string) func(map[string]string) {
		return func(hash map[string]string) { hash[name] = value }
	}
	damage("no record", func(hash map[string]string) { delete(hash, "0") })
	damage("nobody's", func(hash map[string]string) { delete(hash, "account") })
	damage("empty", set("0", ""))
	damage("text", set("0", "what is this"))
	damage("another version", set("0", "\x03"+good["0"][1:]))
	damage("a piece too many", func(hash map[string]string) {
		hash["0"], hash["1"] = good["0"]+strings.Repeat("x", pieceLength-len(good["0"])), "x"
	})
	damage("ten megabytes", set("0", good["0"]+strings.Repeat("\x00", 10<<20)))
	damage("another's record", set("0", hashOf(other)["0"]))
	damage("another's account", set("account", "mallory"))
	damage("another session's token", set(field, hashOf(other)[field]))
	damage("a token of elsewhere", set("app other.example", good[field]))
	damage("an empty token", set(field, ""))
	damage("a token as record", set("0", good[field]))
	for i := range len(good["0"]) {
		flipped := []byte(good["0"])
		flipped[i] ^= 1 << (i % 8)
		damage(fmt.Sprint("record, byte ", i), set("0", string(flipped)))
	}
	for i := range len(good[field]) {
		flipped := []byte(good[field])
		flipped[i] ^= 1 << (i % 8)
		damage(fmt.Sprint("token, byte ", i), set(field, string(flipped)))
	}
	maps.Copy(all, damagedFirstSessions(v.ID, v.Account))
	return all
}

// aWholeSession is one as people have: with the portal and three apps.
func aWholeSession() session.Session {
	now := time.Now().UTC().Truncate(time.Microsecond)
	id := session.NewID()
	v := session.Session{
		ID: id, Account: account.ID(session.NewID()), Created: now.Add(-3 * time.Second), Expires: now.Add(24 * time.Hour), Idle: time.Hour,
		AMR: []string{"pwd", "otp"}, Network: "2001:db8:1234:5678::/64", Browser: "Chrome on Windows", Previous: now.Add(-26 * time.Hour),
	}
	for i, host := range []string{"login.example.com", "reports.example.com", "grafana.example.com", "wiki.example.com"} {
		t := session.Token{
			Hash: session.NewCredential(id, v.Account).Hash(), Purpose: session.ForApp, Host: host, Level: session.LevelSecondFactor,
			PasswordAt: now.Add(-40 * time.Second), FactorAt: now.Add(-3 * time.Second), FactorKind: account.KindApp,
			Issued: now.Add(time.Duration(i) * 7 * time.Minute),
		}
		if i == 0 {
			t.Purpose = session.ForPortal
		}
		v.Tokens = append(v.Tokens, t)
	}
	return v
}

// Redis keeps all sessions in memory: each with all that belongs to it takes at
// most 900 bytes there.
func TestSessionIsSmallInRedis(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr, func(o *Options) { o.Prefix = DefaultPrefix })
	ctx, admin, v := context.Background(), raw(t, server.Addr), aWholeSession()
	tokens := v.Tokens
	v.Tokens = tokens[:1]
	must(t, s.CreateSession(ctx, v))
	for _, other := range tokens[1:] {
		must(t, s.SetToken(ctx, v.ID, other))
	}
	must(t, s.SetToken(ctx, v.ID, tokens[2])) // as a later ticket does
	must(t, s.Touch(ctx, v.ID, v.Created, time.Hour))
	var all int64
	for _, key := range []string{s.keys.session(v.ID), s.keys.sessionsOf(v.Account), s.keys.activity(v.ID)} {
		n, err := admin.MemoryUsage(ctx, key, 0).Result()
		must(t, err)
		t.Logf("%s: %d bytes, %s", key, n, admin.ObjectEncoding(ctx, key).Val())
		all += n
	}
	if all > 900 {
		t.Errorf("%d bytes", all)
	}
	got, err := s.Session(ctx, v.ID)
	must(t, err)
	v.Tokens, v.LastUsed = tokens, v.Created
	if diff := cmp.Diff(v, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func BenchmarkReadSession(b *testing.B) {
	v := aWholeSession()
	hash := hashOf(v)
	for b.Loop() {
		if _, err := read(v.ID, hash); err != nil {
			b.Fatal(err)
		}
	}
}
