package redisstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

func TestGoodServerPasses(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr)
	must(t, s.CheckServer(context.Background()))
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		names, err := raw(t, server.Addr).Keys(context.Background(), "*").Result()
		must(t, err)
		if len(names) == 1 && strings.Contains(names[0], "sess:beat:") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the check left %v", names)
		}
	}
}

func TestEvictionPolicyIsRefused(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		s := openAt(t, testtools.Redis(t, "--maxmemory-policy", policy).Addr)
		err := s.CheckServer(context.Background())
		wantMisconfigured(t, err, policy, "CONFIG SET maxmemory-policy noeviction")
	}
}

func TestReplicasWithoutConfirmationAreRefused(t *testing.T) {
	t.Parallel()
	master := testtools.Redis(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := strings.Cut(master.Addr, ":")
	testtools.Redis(t, "--replicaof", host+" "+port)
	s, ctx := openAt(t, master.Addr), context.Background()
	var err error
	for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		err = s.CheckServer(ctx) // passes until the replica is there
	}
	wantMisconfigured(t, err, "1 replicas", "CONFIG SET min-replicas-to-write 1")
	must(t, raw(t, master.Addr).ConfigSet(ctx, "min-replicas-to-write", "1").Err())
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err = s.CheckServer(ctx); err == nil {
			break // the replica has loaded and confirms
		}
		if errors.Is(err, ErrMisconfigured) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestServersThatCannotBeUsedAreNamed(t *testing.T) {
	t.Parallel()
	good := map[string]string{"redis_version": "7.0.15", "maxmemory_policy": "noeviction", "role": "master", "connected_slaves": "0"}
	must(t, checkInfo(good))
	for _, c := range []struct{ field, value, word string }{
		{"redis_version", "6.0.16", "6.2 or newer"},
		{"redis_version", "", "6.2 or newer"},
		{"cluster_enabled", "1", "Cluster"},
		{"maxmemory_policy", "", "noeviction"},
	} {
		info := map[string]string{c.field: c.value}
		for k, v := range good {
			if k != c.field {
				info[k] = v
			}
		}
		wantMisconfigured(t, checkInfo(info), c.word)
	}
	for _, v := range []string{"6.2.0", "6.10.1", "7.4.2", "8.0.4"} {
		if tooOld(v) {
			t.Errorf("%s is too old", v)
		}
	}
}

func wantMisconfigured(t testing.TB, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, ErrMisconfigured) || !errors.Is(err, session.ErrUnavailable) {
		t.Fatalf("%v, want ErrMisconfigured", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("no %q in: %v", w, err)
		}
	}
}

func TestWrongPasswordIsNotMistakenForAnAbsentServer(t *testing.T) {
	t.Parallel()
	locked, free := testtools.Redis(t, "--requirepass", "right").Addr, testtools.Redis(t).Addr
	for name, s := range map[string]*Store{
		"wrong":          openAt(t, locked, func(o *Options) { o.Password = secret.New("wrong") }),
		"none":           openAt(t, locked),
		"unknown user":   openAt(t, locked, func(o *Options) { o.Username, o.Password = "gate", secret.New("right") }),
		"wrong for none": openAt(t, free, func(o *Options) { o.Username, o.Password = "gate", secret.New("right") }),
		"superfluous":    openAt(t, free, func(o *Options) { o.Password = secret.New("right") }),
	} {
		err := s.CheckServer(context.Background())
		if name == "superfluous" && err == nil {
			continue // Redis before HELLO complained; since then it lets pass
		}
		if !errors.Is(err, ErrCredentials) || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrCredentials", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "right") {
			t.Errorf("%s: the password is in: %v", name, err)
		}
	}
	must(t, openAt(t, locked, func(o *Options) { o.Password = secret.New("right") }).CheckServer(context.Background()))
}

// The rules in the package comment are enough for all that the store does, and
// without any one of the others something is refused that the check names.
func TestMinimalAccessRulesAreEnough(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	admin, ctx := raw(t, server.Addr), context.Background()
	password := secret.New("gatepassword")
	setUser := func(name string, rules []string) {
		args := []any{"ACL", "SETUSER", name, "reset", "on", ">" + password.Reveal()}
		for _, r := range rules {
			args = append(args, r)
		}
		must(t, admin.Do(ctx, args...).Err())
	}
	as := func(name string) *Store {
		return openAt(t, server.Addr, func(o *Options) {
			o.Username, o.Password, o.Prefix, o.DB = name, password, "gate:", 3
		})
	}
	s := as("gate")
	rules := s.AccessRules()
	setUser("gate", rules)
	must(t, s.CheckServer(ctx))
	h := &heard{}
	t.Cleanup(s.Watch(h))
	h.untilLive(t)
	fillWithEverything(t, s, nil)
	for name, call := range calls(s) {
		if err := call(ctx); errors.Is(err, session.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.until(t, 5*time.Second, "a change", func() bool { return len(h.sessions) > 0 })

	for i, lost := range []string{"&gate:*", "+info", "+client|tracking", "+subscribe", "+evalsha", "+zadd", "+getdel", "~gate:*", "+pexpire"} {
		name := "poor" + string(rune('a'+i))
		var rest []string
		for _, r := range rules {
			if r != lost {
				rest = append(rest, r)
			}
		}
		setUser(name, rest)
		wantMisconfigured(t, as(name).CheckServer(ctx), "+zremrangebyscore")
	}
}
