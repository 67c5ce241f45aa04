package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

var factorLimit = login.Limit{N: 5, Window: 10 * time.Minute, DoubleTo: time.Hour}

// calls is every method that asks Redis for something.
func calls(s *Store) map[string]func(context.Context) error {
	now := time.Now()
	f := login.Flow{ID: "flow", Browser: "browser", Created: now, Expires: now.Add(time.Hour)}
	v := aSession("alice")
	v.ID = "sid"
	ticket := session.Ticket{Expires: now.Add(time.Minute)}
	return map[string]func(context.Context) error{
		"CreateFlow":    func(ctx context.Context) error { return s.CreateFlow(ctx, f) },
		"Flow":          func(ctx context.Context) error { _, err := s.Flow(ctx, f.Browser, f.ID, now); return err },
		"SaveFlow":      func(ctx context.Context) error { _, err := s.SaveFlow(ctx, f); return err },
		"DeleteFlow":    func(ctx context.Context) error { return s.DeleteFlow(ctx, f.Browser, f.ID) },
		"FlowsOf":       func(ctx context.Context) error { _, err := s.FlowsOf(ctx, f.Browser, now); return err },
		"CreateSession": func(ctx context.Context) error { return s.CreateSession(ctx, v) },
		"Session":       func(ctx context.Context) error { _, err := s.Session(ctx, v.ID); return err },
		"SetToken":      func(ctx context.Context) error { return s.SetToken(ctx, v.ID, v.Tokens[0]) },
		"EndSession":    func(ctx context.Context) error { return s.EndSession(ctx, v.ID) },
		"SessionsOf":    func(ctx context.Context) error { _, err := s.SessionsOf(ctx, v.Account); return err },
		"SessionsOfMany": func(ctx context.Context) error {
			_, err := s.SessionsOfAccounts(ctx, []account.ID{v.Account, "bob"})
			return err
		},
		"AccountChanged": func(ctx context.Context) error { return s.AccountChanged(ctx, v.Account) },
		"Touch":          func(ctx context.Context) error { return s.Touch(ctx, v.ID, now, time.Hour) },
		"Take":           func(ctx context.Context) error { _, err := s.Take(ctx, "key", factorLimit, now); return err },
		"GiveBack":       func(ctx context.Context) error { return s.GiveBack(ctx, login.Taken{Key: "key", ID: "x"}) },
		"Clear":          func(ctx context.Context) error { return s.Clear(ctx, "key") },
		"PutTicket":      func(ctx context.Context) error { return s.PutTicket(ctx, [32]byte{}, ticket) },
		"TakeTicket":     func(ctx context.Context) error { _, err := s.TakeTicket(ctx, [32]byte{}, now); return err },
		"PutOnce":        func(ctx context.Context) error { return s.PutOnce(ctx, [32]byte{}, []byte("record"), ticket.Expires) },
		"PeekOnce":       func(ctx context.Context) error { _, err := s.PeekOnce(ctx, [32]byte{}, now); return err },
		"TakeOnce":       func(ctx context.Context) error { _, err := s.TakeOnce(ctx, [32]byte{}, now); return err },
		"PublishNode":    func(ctx context.Context) error { return s.PublishNode(ctx, "id", session.Node{}, time.Minute) },
		"Nodes":          func(ctx context.Context) error { _, err := s.Nodes(ctx, now); return err },
		"Ping":           s.Ping,
		"CheckServer":    s.CheckServer,
	}
}

// wantUnavailable wants err to say that Redis is at fault, and nothing else.
func wantUnavailable(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("%s: %v, want session.ErrUnavailable", what, err)
	}
	for _, other := range []error{session.ErrNotFound, login.ErrNoFlow, login.ErrConflict, login.ErrOnceTaken} {
		if errors.Is(err, other) {
			t.Errorf("%s: %v looks like %v", what, err, other)
		}
	}
	var limited *login.Limited
	if errors.As(err, &limited) {
		t.Errorf("%s: %v looks like a reached limit", what, err)
	}
}

// allUnavailable wants every call to fail so within limit.
func allUnavailable(t *testing.T, s *Store, limit time.Duration) {
	t.Helper()
	for name, call := range calls(s) {
		began := time.Now()
		wantUnavailable(t, name, call(context.Background()))
		if took := time.Since(began); took > limit {
			t.Errorf("%s took %s, want at most %s", name, took, limit)
		}
	}
}

func TestRefusedConnectionIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	addr := net.JoinHostPort("127.0.0.1", fmt.Sprint(testtools.FreePort(t)))
	allUnavailable(t, openAt(t, addr, func(o *Options) { o.Timeout = DefaultTimeout }), 200*time.Millisecond)
}

// A server that accepts and says nothing, and one that fell silent later.
func TestSilentServerIsAnsweredWithinTheTimeout(t *testing.T) {
	t.Parallel()
	const timeout, slack = 100 * time.Millisecond, 300 * time.Millisecond
	quick := func(o *Options) { o.Timeout = timeout }
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	allUnavailable(t, openAt(t, listener.Addr().String(), quick), timeout+slack)

	server := testtools.Redis(t)
	s := openAt(t, server.Addr, quick)
	must(t, s.Ping(context.Background()))
	server.Pause()
	defer server.Resume()
	allUnavailable(t, s, timeout+slack)
}

func TestSilentServerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr, func(o *Options) { o.Timeout = 200 * time.Millisecond })
	must(t, s.Ping(context.Background()))
	server.Pause()
	before := runtime.NumGoroutine()
	var all sync.WaitGroup
	began := time.Now()
	for range 300 {
		all.Go(func() {
			_, err := s.Session(context.Background(), "sid")
			wantUnavailable(t, "Session", err)
		})
	}
	all.Wait()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("300 calls at once took %s", took)
	}
	server.Resume()
	for end := time.Now().Add(5 * time.Second); s.Ping(context.Background()) != nil; {
		if time.Now().After(end) {
			t.Fatal("not answered within 5 s of the server's return")
		}
	}
	t.Logf("goroutines: %d before, %d after", before, runtime.NumGoroutine())
}

func TestCallersDeadlineIsKept(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr)
	must(t, s.Ping(context.Background()))
	server.Pause()
	defer server.Resume()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	wantUnavailable(t, "Take", calls(s)["Take"](ctx))
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
}

func TestRestartedServerCostsNoCall(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr)
	for range 3 {
		must(t, s.Ping(context.Background()))
		server.Restart()
	}
	must(t, s.Ping(context.Background()))
}

func TestFullServerCountsNothingAndAllowsNothing(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s, ctx := openAt(t, server.Addr), context.Background()
	v := aSession("alice")
	must(t, s.CreateSession(ctx, v))
	h := &heard{}
	t.Cleanup(s.Watch(h))
	h.untilLive(t)
	must(t, raw(t, server.Addr).ConfigSet(ctx, "maxmemory", "1").Err())
	for _, name := range []string{"Take", "CreateFlow", "CreateSession", "PutTicket", "PutOnce", "Touch", "CheckServer"} {
		err := calls(s)[name](ctx)
		wantUnavailable(t, name, err)
		if err != nil && !strings.Contains(err.Error(), "OOM") {
			t.Errorf("%s does not say why: %v", name, err)
		}
		if errors.Is(err, ErrMisconfigured) {
			t.Errorf("%s: a full server is not misconfigured: %v", name, err)
		}
	}
	// Who is signed in stays so, and can be signed out, and that is heard.
	_, err := s.Session(ctx, v.ID)
	must(t, err)
	h.do(func() { h.history = nil })
	time.Sleep(4 * beatEvery)
	must(t, s.EndSession(ctx, v.ID))
	if _, err := s.Session(ctx, v.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("an ended session: %v", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.history) > 0 {
		t.Errorf("the watcher gave up on a full server: %v", h.history)
	}
}

func TestReadOnlyServerRefuses(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s, ctx := openAt(t, server.Addr), context.Background()
	must(t, raw(t, server.Addr).Do(ctx, "REPLICAOF", "127.0.0.1", "1").Err())
	for _, name := range []string{"Take", "CreateFlow", "SaveFlow", "CreateSession", "TakeTicket", "PutOnce", "TakeOnce", "EndSession", "CheckServer"} {
		err := calls(s)[name](ctx)
		if name == "SaveFlow" && errors.Is(err, login.ErrNoFlow) {
			continue // nothing was to be written
		}
		wantUnavailable(t, name, err)
		if errors.Is(err, ErrMisconfigured) {
			t.Errorf("%s: a replica may be promoted: %v", name, err)
		}
	}
}

// Every key of every kind once as another type: refused, and never a panic.
func TestWrongTypeUnderAnyKeyRefuses(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s, ctx := openAt(t, server.Addr), context.Background()
	admin := raw(t, server.Addr)
	limit := s.keys.limit("key")
	flow := s.keys.flow("browser", "flow")
	for _, c := range []struct{ key, names string }{
		{s.keys.session("sid"), "Session SetToken"},
		{s.keys.sessionsOf("alice"), "CreateSession SessionsOf"},
		{s.keys.activity("sid"), "Touch Session"},
		{flow[0], "Flow SaveFlow"},
		{flow[1], "CreateFlow FlowsOf DeleteFlow"},
		{limit[0], "Take GiveBack"},
		{limit[1], "Take GiveBack"},
		{s.keys.ticket([32]byte{}), "TakeTicket"},
		{s.keys.once([32]byte{}), "PeekOnce TakeOnce"},
		{s.keys.nodes(), "PublishNode Nodes"},
	} {
		for name := range strings.FieldsSeq(c.names) {
			must(t, admin.FlushAll(ctx).Err())
			must(t, admin.RPush(ctx, c.key, "what is this").Err())
			wantUnavailable(t, name+" with a list under "+c.key, calls(s)[name](ctx))
		}
	}
	// What ends something works whatever is there.
	must(t, admin.FlushAll(ctx).Err())
	for key, name := range map[string]string{s.keys.session("sid"): "EndSession", limit[0]: "Clear"} {
		must(t, admin.RPush(ctx, key, "what is this").Err())
		must(t, calls(s)[name](ctx))
		if n := admin.Exists(ctx, key).Val(); n != 0 {
			t.Errorf("%s left %s", name, key)
		}
	}
}

func TestDamagedCounterRefuses(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s, ctx := openAt(t, server.Addr), context.Background()
	admin := raw(t, server.Addr)
	filled := s.keys.limit("key")[1]
	for _, value := range []string{"", "many", "-1", "nan", "inf", "-inf", "1e300", "9999999999999999999999", "0x"} {
		for _, field := range []string{"level", "until"} {
			must(t, admin.Del(ctx, filled).Err())
			must(t, admin.HSet(ctx, filled, field, value).Err())
			wantUnavailable(t, field+" "+value, calls(s)["Take"](ctx))
		}
	}
	if n := admin.Exists(ctx, s.keys.limit("key")[0]).Val(); n != 0 {
		t.Error("a refused try was counted")
	}
}

func TestDamagedRecordRefuses(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s, ctx := openAt(t, server.Addr), context.Background()
	admin := raw(t, server.Addr)
	v := aSession("alice")
	v.ID = "sid"
	for what, fields := range damagedSessions(t, v) {
		must(t, admin.Del(ctx, s.keys.session("sid")).Err())
		must(t, admin.HSet(ctx, s.keys.session("sid"), fields).Err())
		_, err := s.Session(ctx, "sid")
		wantUnavailable(t, what, err)
		if !errors.Is(err, session.ErrDamaged) {
			t.Errorf("%s: %v, want session.ErrDamaged", what, err)
		}
	}
	for what, text := range map[string]string{"not JSON": "?", "foreign flow": `{"v":1,"value":{"ID":"x","Browser":"y"}}`} {
		must(t, admin.HSet(ctx, s.keys.flow("browser", "flow")[0], "record", text).Err())
		wantUnavailable(t, what, calls(s)["Flow"](ctx))
	}
	must(t, admin.Del(ctx, s.keys.session(v.ID)).Err())
	must(t, s.CreateSession(ctx, v))
	for _, text := range []string{"", "soon", "-000000000000000001", "99999999999999999999"} {
		must(t, admin.Set(ctx, s.keys.activity(v.ID), text, 0).Err())
		for _, name := range []string{"Session", "SessionsOf"} {
			err := calls(s)[name](ctx)
			wantUnavailable(t, name+" with last use "+text, err)
			if !errors.Is(err, session.ErrDamaged) {
				t.Errorf("%s with last use %q: %v, want session.ErrDamaged", name, text, err)
			}
		}
	}
	for _, text := range []string{"", "soon {}", "99999999999999 {", "99999999999999 null"} {
		must(t, admin.HSet(ctx, s.keys.nodes(), "id", text).Err())
		wantUnavailable(t, "nodes "+text, calls(s)["Nodes"](ctx))
	}
	// One without an end is in the way until a node next speaks.
	must(t, admin.HSet(ctx, s.keys.nodes(), "id", "soon {}").Err())
	must(t, s.PublishNode(ctx, "another", session.Node{Name: "web1"}, time.Minute))
	if nodes, err := s.Nodes(ctx, time.Now()); err != nil || len(nodes) != 1 || nodes[0].Name != "web1" {
		t.Errorf("a damaged node is not forgotten: %v, %v", nodes, err)
	}
	must(t, admin.Set(ctx, s.keys.ticket([32]byte{}), "?", 0).Err())
	wantUnavailable(t, "ticket", calls(s)["TakeTicket"](ctx))
	if _, err := s.TakeTicket(ctx, [32]byte{}, time.Now()); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a damaged ticket is not consumed: %v", err)
	}
}

func TestDamagedOnceRefusesAndIsConsumed(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s, ctx, now := openAt(t, server.Addr), context.Background(), time.Now()
	admin := raw(t, server.Addr)
	good, err := encode(onceRecord{Record: []byte("record"), Expires: now.Add(time.Minute)})
	must(t, err)
	long, err := encode(onceRecord{Record: make([]byte, login.MaxOnce+1), Expires: now.Add(time.Minute)})
	must(t, err)
	for what, text := range map[string]string{
		"empty": "", "not JSON": "record", "no value": `{"v":1}`, "no end": `{"v":1,"value":{"Record":"AAAA"}}`,
		"no base64": `{"v":1,"value":{"Record":"?","Expires":"2100-01-01T00:00:00Z"}}`, "too long": long,
		"old schema": strings.Replace(good, `"v":1`, `"v":0`, 1), "a ticket": `{"v":1,"value":{"Session":"sid"}}`,
		"ten megabytes": good + strings.Repeat(" ", 10<<20),
	} {
		must(t, admin.Set(ctx, s.keys.once([32]byte{}), text, time.Minute).Err())
		_, err := s.PeekOnce(ctx, [32]byte{}, now)
		wantUnavailable(t, what, err)
		_, err = s.TakeOnce(ctx, [32]byte{}, now)
		wantUnavailable(t, what, err)
		if !errors.Is(err, session.ErrDamaged) {
			t.Errorf("%s: %v, want session.ErrDamaged", what, err)
		}
		if _, err := s.TakeOnce(ctx, [32]byte{}, now); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s is not consumed: %v", what, err)
		}
	}
}

func TestTwoPrefixesDoNotMeet(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	staging := openAt(t, server.Addr, func(o *Options) { o.Prefix = "staging:" })
	production := openAt(t, server.Addr, func(o *Options) { o.Prefix = "production:" })
	ctx, now := context.Background(), time.Now()
	h := &heard{}
	t.Cleanup(production.Watch(h))
	h.untilLive(t)
	v := aSession("alice")
	must(t, staging.CreateSession(ctx, v))
	must(t, staging.AccountChanged(ctx, v.Account))
	for range factorLimit.N {
		_, err := staging.Take(ctx, "key", factorLimit, now)
		must(t, err)
	}
	must(t, staging.PutTicket(ctx, [32]byte{}, session.Ticket{Expires: now.Add(time.Minute)}))
	must(t, staging.PutOnce(ctx, [32]byte{}, []byte("record"), now.Add(time.Minute)))
	must(t, staging.PublishNode(ctx, "id", session.Node{Hosts: []string{"app.example"}}, time.Minute))

	if _, err := production.Session(ctx, v.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("session: %v", err)
	}
	if list, err := production.SessionsOf(ctx, v.Account); err != nil || len(list) > 0 {
		t.Errorf("sessions: %v, %v", list, err)
	}
	if _, err := production.Take(ctx, "key", factorLimit, now); err != nil {
		t.Errorf("try: %v", err)
	}
	if _, err := production.TakeTicket(ctx, [32]byte{}, now); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("ticket: %v", err)
	}
	if _, err := production.TakeOnce(ctx, [32]byte{}, now); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("record: %v", err)
	}
	if nodes, err := production.Nodes(ctx, now); err != nil || len(nodes) > 0 {
		t.Errorf("nodes: %v, %v", nodes, err)
	}
	must(t, production.AccountChanged(ctx, "last"))
	h.until(t, 5*time.Second, "own change", func() bool { return !h.accounts["last"].IsZero() })
	if len(h.sessions) > 0 || len(h.accounts) != 1 {
		t.Errorf("heard of the other's %v %v", h.sessions, h.accounts)
	}
}
