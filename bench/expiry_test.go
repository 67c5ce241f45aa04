package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/session"
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
// round with its own settings, in milliseconds as Redis counts them.
func (v *town) expiry(t *testing.T, s *section) (longest int64) {
	t.Helper()
	n := v.size * 2 / 5
	// The least that Redis can watch for.
	if err := v.redis.ConfigSet(t.Context(), "latency-monitor-threshold", "1").Err(); err != nil {
		t.Fatal(err)
	}
	var table [][]string
	rates := []string{"10", "100"}
	if *quick {
		rates = rates[:1]
	}
	for i, hz := range rates {
		if err := v.redis.ConfigSet(t.Context(), "hz", hz).Err(); err != nil {
			t.Fatal(err)
		}
		row, one := v.expire(t, s, n, hz)
		table = append(table, row)
		if i == 0 {
			longest = one
		}
	}
	s.say("%d sessions that end within the same second, in Redis; meanwhile every millisecond a PING and a request from the guard's memory. Milliseconds, the longest before and from then on; and the longest for which Redis itself says that a round of removal held it up (LATENCY HISTORY expire-cycle; whole milliseconds, 0 is less than one), which is what is judged: what else the machine does meanwhile is not in it. Redis leaves up to a tenth of its keys in memory after they have expired; what is looked at is gone.", n)
	s.table([]string{"Redis", "PING before", "PING then", "request before", "request then", "longer than 10 ms before", "longer than 10 ms then", "longest round of removal", "removed by then"}, table)
	return longest
}

func (v *town) expire(t *testing.T, s *section, n int, hz string) (row []string, longest int64) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	calm, end := 6*time.Second, 6*time.Second
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
	time.Sleep(time.Until(soon))
	v.forgetRounds(t)
	time.Sleep(time.Until(soon.Add(end)))
	gone := before - size()
	stop()
	all.Wait()
	late, longest := soon.Add(end), v.longestRound(t)
	s.row("PING, hz "+hz, pings.longest(began, soon), pings.longest(soon, late))
	s.row("request, hz "+hz, requests.longest(began, soon), requests.longest(soon, late))
	s.row("longest round, hz "+hz, "", longest)
	over := func(from, to time.Time) string {
		return fmt.Sprintf("%d PINGs, %d requests", pings.over(from, to), requests.over(from, to))
	}
	return []string{
		"hz " + hz,
		fmt.Sprintf("%.1f", pings.longest(began, soon)), fmt.Sprintf("%.1f", pings.longest(soon, late)),
		fmt.Sprintf("%.1f", requests.longest(began, soon)), fmt.Sprintf("%.1f", requests.longest(soon, late)),
		over(began, soon), over(soon, late), strconv.FormatInt(longest, 10), strconv.FormatInt(gone, 10),
	}, longest
}

// forgetRounds has Redis forget how long its rounds of removal took.
func (v *town) forgetRounds(t *testing.T) {
	t.Helper()
	if err := v.redis.Do(t.Context(), "LATENCY", "RESET", "expire-cycle").Err(); err != nil {
		t.Fatal(err)
	}
}

// longestRound is how long the longest of them took since, in milliseconds.
func (v *town) longestRound(t *testing.T) (longest int64) {
	t.Helper()
	rounds, err := v.redis.Do(t.Context(), "LATENCY", "HISTORY", "expire-cycle").Slice()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rounds { // when, and how long
		pair, ok := r.([]any)
		if !ok || len(pair) != 2 {
			t.Fatalf("a round of %v", r)
		}
		took, ok := pair[1].(int64)
		if !ok {
			t.Fatalf("a round of %v", r)
		}
		longest = max(longest, took)
	}
	return longest
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

// embeddedExpiries removes many expired sessions from the embedded store: on the
// disk, where a new session also waits for the disk, and in a memory file system,
// where nothing but the removal is left to wait for. It returns the longest
// look-up and the longest new session there, in milliseconds; ok is false where
// there is no such file system.
func embeddedExpiries(t *testing.T, s *section) (read, write float64, ok bool) {
	t.Helper()
	row, _, _ := embeddedExpiry(t, s, "on disk", shortDir(t))
	table := [][]string{row}
	if dir := memoryDir(t); dir != "" {
		row, read, write = embeddedExpiry(t, s, "in memory", dir)
		table, ok = append(table, row), true
	}
	s.say("%d expired sessions are removed from the embedded store; meanwhile every millisecond a look-up of a session and every five a new one. Milliseconds, the longest within as long a time before the removal (at most %v) and during it; then how many of either kind took longer than 10 ms, for each second.", expiredSessions(), calm())
	s.table([]string{"file", "look-up before", "look-up then", "new session before", "new session then", "longer than 10 ms before", "longer than 10 ms then", "removed within"}, table)
	if ok {
		s.say("On disk a new session waits for the disk to confirm it, removal or not, and the removal asks the same disk. In a memory file system it waits for nothing but the removal, which is judged there.")
	}
	return read, write, ok
}

func expiredSessions() int { return rounds(200_000, 20_000) }

// expiredBytes is more than one of them takes, in the file and in its log.
const expiredBytes = 2 << 10

// calm is how long to look before the removal.
func calm() time.Duration { return time.Duration(rounds(10, 2)) * time.Second }

// memoryDir is a temporary directory in a memory file system, or empty if there
// is none.
func memoryDir(t *testing.T) string {
	t.Helper()
	const tmpfs = 0x01021994
	for _, in := range []string{"/dev/shm", os.TempDir()} {
		var fs syscall.Statfs_t
		if syscall.Statfs(in, &fs) != nil || fs.Type != tmpfs || fs.Bavail*uint64(fs.Bsize) < uint64(expiredSessions())*expiredBytes {
			continue
		}
		if dir, err := os.MkdirTemp(in, "bench-"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return ""
}

// embeddedExpiry removes them from a store in dir, as it does by itself once a
// minute, and returns the longest look-up and new session meanwhile.
func embeddedExpiry(t *testing.T, s *section, where, dir string) (row []string, read, write float64) {
	t.Helper()
	ctx, p := t.Context(), population{hosts: []string{appHost}}
	known, _ := p.session("somebody")
	store := manyExpired(t, dir, p, known)
	defer store.Close()
	expired := func(want int) {
		t.Helper()
		if n := expiredIn(t, dir); n != want {
			t.Fatalf("%d expired sessions, want %d", n, want)
		}
	}
	expired(expiredSessions())
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
	time.Sleep(calm() + 200*time.Millisecond) // opening the file is no part of it
	purge := time.Now()
	if err := store.Purge(ctx, purge); err != nil {
		t.Fatal(err)
	}
	done := time.Now()
	stop()
	all.Wait()
	expired(0)
	took := done.Sub(purge)
	began := purge.Add(-min(took, calm()))
	over := func(from, to time.Time) string {
		return fmt.Sprintf("%.1f", float64(reads.over(from, to)+writes.over(from, to))/to.Sub(from).Seconds())
	}
	row = []string{where}
	for i, p := range []*pulse{reads, writes} {
		before, then := p.longest(began, purge), p.longest(purge, done)
		s.row("embedded "+where+", "+[]string{"a look-up", "a new session"}[i], before, then)
		row = append(row, fmt.Sprintf("%.1f", before), fmt.Sprintf("%.1f", then))
	}
	row = append(row, over(began, purge), over(purge, done), took.Round(10*time.Millisecond).String())
	return row, reads.longest(purge, done), writes.longest(purge, done)
}

// expiredIn counts the expired sessions in the file of an embedded store in dir.
func expiredIn(t *testing.T, dir string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(ownDir(dir), "sessions.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	row := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions WHERE expires <= $1", time.Now().UnixMicro())
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// manyExpired is a store in dir with one session that is known and many that
// have expired.
func manyExpired(t *testing.T, dir string, p population, known session.Session) *sqlstore.Embedded {
	t.Helper()
	ctx := t.Context()
	w, err := newEmbeddedWriter(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.write(ctx, known); err != nil {
		t.Fatal(err)
	}
	for range expiredSessions() {
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
	file, err := os.Open(w.path)
	if err != nil {
		t.Fatal(err)
	}
	// It was written without waiting for the disk, which would be made up for by
	// whoever asks for a confirmation first.
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return sqlstore.OpenEmbedded(w.path, sqlstore.EmbeddedOptions{})
}
