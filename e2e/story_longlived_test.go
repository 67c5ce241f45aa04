package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// lastingOf are the ways in which a browser keeps something open.
func (c *client) lastingOf(t testing.TB, path string) []*lasting {
	t.Helper()
	one := newClient(t, c.g, c.base.Hostname())
	one.Jar = c.Jar
	one.transport().ForceAttemptHTTP2 = false // with a configuration for TLS of its own that is HTTP/1.1
	all := []*lasting{c.webSocket(t, path+"/ws"), c.eventStream(t, path+"/events"), one.eventStream(t, path+"/events")}
	if !strings.HasPrefix(all[1].what, "HTTP/2") || !strings.HasPrefix(all[2].what, "HTTP/1.1") {
		t.Errorf("opened %s and %s", all[1].what, all[2].what)
	}
	return all
}

// reload gives every node its configuration again.
func (c cluster) reload(t testing.TB) {
	t.Helper()
	for _, g := range slices.Compact(c.nodes[:]) {
		if _, err := g.Run("", "reload", "--force", "--config", g.config, "--adapter", "caddyfile", "--address", g.admin()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenConnectionsEndWithTheirSession: T15, T102. What is open lives on over
// reloads, and ends within two seconds of what was done at the other node; what
// is somebody else's does not end.
func TestOpenConnectionsEndWithTheirSession(t *testing.T) {
	t.Parallel()
	engines(t, "", func(t *testing.T, c cluster) {
		open := lastingApp(c.app)
		here, there := c.nodes[0], c.nodes[1]
		run := func(args ...string) func(*client, string) {
			return func(_ *client, name string) {
				if _, err := there.Run("", append(args, name)...); err != nil {
					t.Error(err)
				}
			}
		}
		stranger := newClient(t, here, "easy.test")
		if end := stranger.SignIn("/x", "eve", newAccount(t, here, "eve"), ""); end.Status != 200 {
			t.Fatal("not signed in")
		}
		strangers := stranger.lastingOf(t, "/staff-not")
		for _, row := range []struct {
			name string
			end  func(b *client, name string)
			stay bool // what needs no group stays
		}{
			{"ada", run("session", "end", "--account"), false},
			{"bob", run("account", "disable"), false},
			{"cyd", func(b *client, _ string) { b.at(there).SignOut("/sallyport/sign-out") }, false},
			{"dan", run("account", "set", "--remove-group", "staff"), true},
		} {
			b := newClient(t, here, "easy.test")
			if end := b.SignIn("/x", row.name, newAccount(t, here, row.name, "--group", "staff"), ""); end.Text("user") != row.name {
				t.Fatalf("%s is not signed in: %d %q", row.name, end.Status, end.Heading())
			}
			first := b.webSocket(t, "/staff/ws", "Remote-User: root", "remote_groups: admin", "Sallyport-Assertion: x")
			seen := c.app.Last().Header
			if got := seen["Remote-User"]; len(got) != 1 || got[0] != row.name || seen.Get("Remote-Groups") != "staff" || seen["Remote_groups"] != nil {
				t.Errorf("the app was told %v", seen)
			}
			ofGroup, others := append(b.lastingOf(t, "/staff"), first), b.lastingOf(t, "/any")
			c.reload(t)
			c.reload(t)
			time.Sleep(2500 * time.Millisecond) // past the grace period
			for _, l := range slices.Concat(ofGroup, others) {
				l.lives(t)
			}
			row.end(b, row.name)
			began := time.Now()
			for _, l := range ofGroup {
				l.ends(t, 2*time.Second, 1008)
			}
			for _, l := range others {
				if row.stay {
					l.lives(t)
				} else {
					l.ends(t, 2*time.Second, 1008)
				}
			}
			took := time.Since(began)
			t.Logf("%s: ended %v after it was done", row.name, took.Round(time.Millisecond))
			if took > 2*time.Second {
				t.Errorf("%s: ended %v after it was done", row.name, took)
			}
			for _, l := range strangers {
				l.lives(t)
			}
		}
		wantOpen(t, open.Load, int64(len(strangers)+3))
	})
}

// wantOpen waits for what an app has open.
func wantOpen(t testing.TB, open func() int64, want int64) {
	t.Helper()
	for end := time.Now().Add(3 * time.Second); open() != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("the app has %d open, want %d", open(), want)
			return
		}
	}
}

// TestFiveHundredConnectionsEndTogether, which belong to one session.
func TestFiveHundredConnectionsEndTogether(t *testing.T) {
	t.Parallel()
	engines(t, "", func(t *testing.T, c cluster) {
		open := lastingApp(c.app)
		b := newClient(t, c.nodes[0], "easy.test")
		b.SignIn("/x", "bob", newAccount(t, c.nodes[0], "bob"), "")
		all := make([]*lasting, 500)
		for from := 0; from < len(all); from += 50 {
			together(50, func(i int) { all[from+i] = b.webSocket(t, "/ws") })
		}
		wantOpen(t, open.Load, 500)
		if _, err := c.nodes[1].Run("", "session", "end", "--account", "bob"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, l := range all {
			l.ends(t, 2*time.Second, 1008)
		}
		took := time.Since(began)
		t.Logf("500 connections ended within %v", took.Round(time.Millisecond))
		if took > 2*time.Second {
			t.Errorf("they ended within %v", took)
		}
		wantOpen(t, open.Load, 0)
	})
}

// TestOpenConnectionsEndWhenNobodyCanTell: T107 to T109 for what is open. Redis
// away for longer than five seconds ends it; a short silence does not.
func TestOpenConnectionsEndWhenNobodyCanTell(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"killed", "silent"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, "two nodes", "")
			lastingApp(c.app)
			b := newClient(t, c.nodes[0], "easy.test")
			b.SignIn("/x", "bob", newAccount(t, c.nodes[0], "bob"), "")
			all := b.lastingOf(t, "")
			time.Sleep(time.Second)
			if way == "silent" {
				c.redis.Pause()
				time.Sleep(3 * time.Second)
				c.redis.Resume()
				time.Sleep(6 * time.Second)
				for _, l := range all {
					l.lives(t)
				}
				c.redis.Pause()
			} else {
				c.redis.Kill()
			}
			began := time.Now()
			for _, l := range all {
				l.ends(t, 10*time.Second, 1013)
			}
			took := time.Since(began)
			t.Logf("they ended %v after Redis was %s", took.Round(time.Millisecond), way)
			if took < 3*time.Second || took > 9*time.Second {
				t.Errorf("they ended %v after Redis was %s", took, way)
			}
			if strings.Contains(c.nodes[0].Log(), "panic") {
				t.Error("the log tells of a panic")
			}
		})
	}
}
