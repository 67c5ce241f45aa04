package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// A pulse does something small again and again, and knows how long each time
// took and when.
type pulse struct {
	mu    sync.Mutex
	beats []beat
}

type beat struct {
	at   time.Time
	took time.Duration
}

// every does it until ctx ends, about once in a while.
func every(ctx context.Context, all *sync.WaitGroup, while time.Duration, do func()) *pulse {
	p := &pulse{}
	all.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			do()
			p.mu.Lock()
			p.beats = append(p.beats, beat{began, time.Since(began)})
			p.mu.Unlock()
			time.Sleep(while)
		}
	})
	return p
}

// longest is the longest time, in milliseconds, of what began within a time.
func (p *pulse) longest(from, to time.Time) float64 {
	var longest time.Duration
	for _, b := range p.beats {
		if !b.at.Before(from) && b.at.Before(to) {
			longest = max(longest, b.took)
		}
	}
	return ms(longest)
}

// over is how many took more than ten milliseconds.
func (p *pulse) over(from, to time.Time) (n int) {
	for _, b := range p.beats {
		if !b.at.Before(from) && b.at.Before(to) && b.took > 10*time.Millisecond {
			n++
		}
	}
	return n
}

// expiry lets many sessions expire within a second, in Redis with its own
// settings and with more and shorter rounds of removal, and returns the longest
// wait with its own settings.
func (v *town) expiry(t *testing.T, s *section) (longest float64) {
	t.Helper()
	n := v.size * 2 / 5
	var table [][]string
	for i, hz := range []string{"10", "100"} {
		if err := v.redis.ConfigSet(t.Context(), "hz", hz).Err(); err != nil {
			t.Fatal(err)
		}
		row, one := v.expire(t, s, n, hz)
		table = append(table, row)
		if i == 0 {
			longest = one
		}
	}
	s.say("%d sessions that end within the same second, in Redis; meanwhile every millisecond a PING and a request from the guard's memory. Milliseconds, the longest before and from then on. Redis leaves up to a tenth of its keys in memory after they have expired; what is looked at is gone.", n)
	s.table([]string{"Redis", "PING before", "PING then", "request before", "request then", "longer than 10 ms", "removed by then"}, table)
	return longest
}

func (v *town) expire(t *testing.T, s *section, n int, hz string) (row []string, longest float64) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	calm, end := 3*time.Second, 6*time.Second
	if *quick {
		calm, end = time.Second, 2*time.Second
	}
	soon := v.shorten(t, n, calm+2*time.Second)
	ping := redis.NewClient(&redis.Options{Addr: v.server.Addr, PoolSize: 1})
	defer ping.Close()
	a := newAsker(t, v.node.addr, v.warm)
	defer a.close()
	time.Sleep(time.Until(soon.Add(-calm)))
	began := time.Now()
	var all sync.WaitGroup
	pings := every(ctx, &all, time.Millisecond, func() {
		if err := ping.Ping(context.Background()).Err(); err != nil {
			t.Errorf("PING: %v", err)
		}
	})
	requests := every(ctx, &all, time.Millisecond, func() {
		if status, err := a.ask(); err != nil || status != http.StatusOK {
			t.Errorf("a request meanwhile: %d, %v", status, err)
		}
	})
	size := func() int64 { return v.redis.DBSize(context.Background()).Val() }
	before := size()
	time.Sleep(time.Until(soon.Add(end)))
	gone := before - size()
	stop()
	all.Wait()
	late := soon.Add(end)
	s.row("PING, hz "+hz, pings.longest(began, soon), pings.longest(soon, late))
	s.row("request, hz "+hz, requests.longest(began, soon), requests.longest(soon, late))
	return []string{
		"hz " + hz,
		fmt.Sprintf("%.1f", pings.longest(began, soon)), fmt.Sprintf("%.1f", pings.longest(soon, late)),
		fmt.Sprintf("%.1f", requests.longest(began, soon)), fmt.Sprintf("%.1f", requests.longest(soon, late)),
		fmt.Sprintf("%d PINGs, %d requests", pings.over(soon, late), requests.over(soon, late)), strconv.FormatInt(gone, 10),
	}, max(pings.longest(soon, late), requests.longest(soon, late))
}

// shorten lets n sessions end within a second, as if they had begun together,
// and returns when that second begins: not before in.
func (v *town) shorten(t *testing.T, n int, in time.Duration) time.Time {
	t.Helper()
	ctx := t.Context()
	kept := map[string]bool{}
	for _, b := range v.browsers {
		kept[redisstore.DefaultPrefix+"sess:{"+string(b.session.ID)+"}"] = true
	}
	var keys []string
	for scan := v.redis.Scan(ctx, 0, redisstore.DefaultPrefix+"sess:{*", 10_000).Iterator(); len(keys) < n && scan.Next(ctx); {
		if !kept[scan.Val()] {
			keys = append(keys, scan.Val())
		}
	}
	if len(keys) < n {
		t.Fatalf("%d sessions to expire", len(keys))
	}
	soon := time.Now().Add(in + time.Duration(n)*30*time.Microsecond)
	pipe := v.redis.Pipeline()
	for i, k := range keys {
		pipe.PExpireAt(ctx, k, soon.Add(rand.N(time.Second)))
		if i%1000 == 999 || i == len(keys)-1 {
			if _, err := pipe.Exec(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	return soon
}

// embeddedExpiry removes many expired sessions from the embedded store, as it
// does by itself once a minute, and returns the longest wait meanwhile, in
// milliseconds: of a look-up and of a new session.
func embeddedExpiry(t *testing.T, s *section) (read, write float64) {
	t.Helper()
	n, dir, ctx := rounds(200_000, 20_000), shortDir(t), t.Context()
	w, err := newEmbeddedWriter(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	p := population{hosts: []string{appHost}}
	known, _ := p.session("somebody")
	if err := w.write(ctx, known); err != nil {
		t.Fatal(err)
	}
	for range n {
		old, _ := p.session("somebody-else")
		old.Created, old.Expires = old.Created.Add(-48*time.Hour), old.Expires.Add(-48*time.Hour)
		if err := w.write(ctx, old); err != nil {
			t.Fatal(err)
		}
	}
	written, err := w.close(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := written.Close(); err != nil {
		t.Fatal(err)
	}
	store := sqlstore.OpenEmbedded(filepath.Join(ownDir(dir), "sessions.db"), sqlstore.EmbeddedOptions{})
	defer store.Close()
	var all sync.WaitGroup
	running, stop := context.WithCancel(ctx)
	defer stop()
	reads := every(running, &all, time.Millisecond, func() {
		if _, err := store.Session(ctx, known.ID); err != nil {
			t.Errorf("reading a session meanwhile: %v", err)
		}
	})
	writes := every(running, &all, 5*time.Millisecond, func() {
		fresh, _ := p.session("somebody")
		if err := store.CreateSession(ctx, fresh); err != nil {
			t.Errorf("a new session meanwhile: %v", err)
		}
	})
	began := time.Now().Add(200 * time.Millisecond) // opening the file is no part of it
	time.Sleep(2200 * time.Millisecond)
	purge := time.Now()
	if err := store.Purge(ctx, purge); err != nil {
		t.Fatal(err)
	}
	done := time.Now()
	stop()
	all.Wait()
	read, write = reads.longest(purge, done), writes.longest(purge, done)
	s.row("embedded, a look-up", reads.longest(began, purge), read)
	s.row("embedded, a new session", writes.longest(began, purge), write)
	s.say("%d expired sessions were removed from the embedded store within %v. Meanwhile the longest look-up of a session took %.1f ms, before that %.1f ms; the longest wait for a new session to be on disk was %.1f ms, before that %.1f ms.",
		n, done.Sub(purge).Round(10*time.Millisecond), read, reads.longest(began, purge), write, writes.longest(began, purge))
	return read, write
}
