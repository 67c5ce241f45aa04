package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

const (
	typedIdentifier = "alice@example.com"
	visitorNetwork  = "2001:db8:77::/64"
)

// fillWithEverything makes every kind of record, and calls after, where there
// is one, after each call of the store.
func fillWithEverything(t testing.TB, s *Store, after func(doing string)) {
	t.Helper()
	ctx, now := context.Background(), time.Now()
	v := aSession("theaccount")
	step := func(doing string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", doing, err)
		}
		if after != nil {
			after(doing)
		}
	}
	step("CreateSession", s.CreateSession(ctx, v))
	step("SetToken", s.SetToken(ctx, v.ID, session.Token{Purpose: session.ForPortal, Host: "login.example"}))
	step("AccountChanged", s.AccountChanged(ctx, v.Account))
	step("Touch", s.Touch(ctx, v.ID, now, time.Hour))
	step("Touch again", s.Touch(ctx, v.ID, now.Add(time.Second), time.Hour))
	browser := login.BrowserHash(randomID())
	var flows []login.Flow
	for i := range login.FlowsPerBrowser + 2 {
		f := login.Flow{ID: login.FlowID(randomID()), Browser: browser, Created: now.Add(time.Duration(i) * time.Second), Expires: now.Add(login.FlowLife)}
		step("CreateFlow", s.CreateFlow(ctx, f))
		flows = append(flows, f)
	}
	_, err := s.SaveFlow(ctx, flows[5])
	step("SaveFlow", err)
	step("DeleteFlow", s.DeleteFlow(ctx, browser, flows[6].ID))
	for _, key := range []string{"password:" + typedIdentifier + ":" + visitorNetwork, "factor:" + typedIdentifier} {
		limit := login.Limit{N: 3, Window: time.Minute, DoubleTo: time.Hour}
		var last login.Taken
		for at := range 3 {
			for range limit.N {
				taken, err := s.Take(ctx, key, limit, now.Add(time.Duration(at)*time.Hour))
				step("Take", err)
				last = taken
			}
			_, err := s.Take(ctx, key, limit, now.Add(time.Duration(at)*time.Hour))
			if _, ok := err.(*login.Limited); !ok {
				t.Fatalf("a full window took one more: %v", err)
			}
			step("refused Take", nil)
		}
		step("GiveBack", s.GiveBack(ctx, last))
	}
	step("Clear", s.Clear(ctx, "factor:"+typedIdentifier))
	step("PutTicket", s.PutTicket(ctx, [32]byte{7}, session.Ticket{Session: v.ID, Account: v.Account, Host: "app.example", Expires: now.Add(session.TicketLife)}))
	step("PutOnce", s.PutOnce(ctx, [32]byte{8}, []byte("record"), now.Add(time.Minute)))
	step("PutOnce that is there", wantOnceTaken(s.PutOnce(ctx, [32]byte{8}, []byte("another"), now.Add(time.Hour))))
	_, err = s.PeekOnce(ctx, [32]byte{8}, now)
	step("PeekOnce", err)
	node := session.Node{Name: "web1", Hosts: []string{"app.example"}, Ring: "ring", Keys: []string{"cookie/1"}}
	step("PublishNode", s.PublishNode(ctx, "node-1", node, time.Minute))
	step("PublishNode again", s.PublishNode(ctx, "node-2", node, time.Second))
}

// wantOnceTaken is nil for a refusal of what is there already.
func wantOnceTaken(err error) error {
	if errors.Is(err, login.ErrOnceTaken) {
		return nil
	}
	return fmt.Errorf("%w, want %w", err, login.ErrOnceTaken)
}

// A key without a TTL would lock somebody out, or let somebody in, for ever.
func TestEveryKeyHasATTLAtAllTimes(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr)
	admin, ctx := raw(t, server.Addr), context.Background()
	h := &heard{}
	t.Cleanup(s.Watch(h)) // for the heartbeat's key
	h.untilLive(t)
	kinds := map[string]bool{}
	look := func(doing string) {
		t.Helper()
		names, err := admin.Keys(ctx, "*").Result()
		must(t, err)
		for _, name := range names {
			ttl, err := admin.PTTL(ctx, name).Result()
			must(t, err)
			if ttl < 0 && ttl != -2 { // -2: gone meanwhile
				t.Fatalf("after %s: %s has no TTL", doing, name)
			}
			if ttl > filledLife {
				t.Errorf("after %s: %s lives for %s", doing, name, ttl)
			}
			kind, _, _ := strings.Cut(strings.TrimPrefix(name, s.keys.prefix), "{")
			if strings.HasSuffix(name, ":filled") {
				kind += "filled"
			}
			kinds[kind] = true
		}
	}
	fillWithEverything(t, s, look)
	want := "sess: sess:beat: sessions: acct: act: flow: flows: lim: lim:filled ticket: once: nodes:"
	for kind := range strings.FieldsSeq(want) {
		if !kinds[kind] {
			t.Errorf("no key of kind %s was made: the test looks at too little", kind)
		}
		delete(kinds, kind)
	}
	for kind := range kinds {
		t.Errorf("keys of kind %s are not in the table of keys.go", kind)
	}
}

// A set token on an ended session, and every other repair of what is gone,
// leaves nothing without a TTL either.
func TestLateWritesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s, ctx := openAt(t, server.Addr), context.Background()
	_ = s.SetToken(ctx, "gone", session.Token{Host: "app.example"})
	_, _ = s.SaveFlow(ctx, login.Flow{ID: "gone", Browser: "gone", Expires: time.Now().Add(time.Hour)})
	_ = s.GiveBack(ctx, login.Taken{Key: "gone", ID: "gone"})
	_ = s.Clear(ctx, "gone")
	_ = s.EndSession(ctx, "gone")
	_ = s.DeleteFlow(ctx, "gone", "gone")
	_, _ = s.PeekOnce(ctx, [32]byte{}, time.Now())
	_, _ = s.TakeOnce(ctx, [32]byte{}, time.Now())
	_ = s.PutOnce(ctx, [32]byte{}, []byte("late"), time.Now().Add(-time.Second))
	names, err := raw(t, server.Addr).Keys(ctx, "*").Result()
	must(t, err)
	if len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestDumpShowsNoIdentifierAndNoSecret(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr)
	fillWithEverything(t, s, nil)
	dump := dumpAll(t, server.Addr)
	if !strings.Contains(dump, "theaccount") {
		t.Fatal("the dump does not even hold the account's id")
	}
	for _, secret := range []string{typedIdentifier, "alice", visitorNetwork, "2001:db8"} {
		if strings.Contains(dump, secret) {
			t.Errorf("%q is readable in Redis", secret)
		}
	}
}

// dumpAll is every key and every value as text.
func dumpAll(t testing.TB, addr string) string {
	t.Helper()
	admin, ctx := raw(t, addr), context.Background()
	names, err := admin.Keys(ctx, "*").Result()
	must(t, err)
	var b strings.Builder
	for _, name := range names {
		var value any
		switch kind := admin.Type(ctx, name).Val(); kind {
		case "hash":
			value = admin.HGetAll(ctx, name).Val()
		case "zset":
			value = admin.ZRangeWithScores(ctx, name, 0, -1).Val()
		default:
			value = admin.Get(ctx, name).Val()
		}
		fmt.Fprintln(&b, name, value)
	}
	return b.String()
}
