package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
)

// store keeps what is written, and can be away.
type store struct {
	mu     sync.Mutex
	away   bool
	events []audit.Event
	calls  int
}

func (s *store) Append(_ context.Context, events ...audit.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.away {
		return errors.New("away")
	}
	s.events = append(s.events, events...)
	return nil
}

func (s *store) set(away bool) { s.mu.Lock(); s.away = away; s.mu.Unlock() }

func (s *store) read() (events []audit.Event, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]audit.Event(nil), s.events...), s.calls
}

// buffer is a log for many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }

func (b *buffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, s *store) (*audit.Log, *buffer) {
	t.Helper()
	var b buffer
	l := audit.NewLog(s, slog.New(slog.NewJSONHandler(&b, nil)), func() time.Time { return noon })
	t.Cleanup(l.Close)
	return l, &b
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func TestEventsAreWrittenInBatchesAndAtOnceToTheLog(t *testing.T) {
	t.Parallel()
	s := &store{}
	l, b := open(t, s)
	for range 150 {
		l.Record(t.Context(), audit.Event{Time: noon, Name: audit.SignedIn})
	}
	if n := strings.Count(b.String(), `"event":"signed_in"`); n != 150 {
		t.Errorf("%d lines", n)
	}
	eventually(t, "nothing was written", func() bool { e, _ := s.read(); return len(e) == 150 })
	if _, calls := s.read(); calls > 5 {
		t.Errorf("%d writes for 150 events", calls)
	}
	l.Written(t.Context(), audit.Event{Name: audit.FactorAdded})
	l.Close()
	if e, _ := s.read(); len(e) != 150 || !strings.Contains(b.String(), "factor_added") {
		t.Error("what a store wrote itself is written twice, or not told")
	}
}

func TestRefusalsAreSummedUpByTheMinute(t *testing.T) {
	t.Parallel()
	s := &store{}
	l, b := open(t, s)
	for i := range 1000 {
		l.Record(t.Context(), audit.Event{Time: noon, Name: audit.LimitHit, Network: "192.0.2.1", Reason: "factor", Request: string(rune('a' + i%26))})
	}
	l.Record(t.Context(), audit.Event{Time: noon, Name: audit.LimitHit, Network: "192.0.2.2", Reason: "factor"})
	if n := strings.Count(b.String(), "limit_hit"); n != 2 {
		t.Errorf("%d lines", n)
	}
	time.Sleep(600 * time.Millisecond)
	if e, _ := s.read(); len(e) != 0 {
		t.Error("the sum was written before its minute was over")
	}
	l.Record(t.Context(), audit.Event{Time: noon.Add(-time.Minute), Name: audit.Busy}) // of a minute ago
	eventually(t, "a minute that is over is not written", func() bool { e, _ := s.read(); return len(e) == 1 })
	l.Close()
	counts := map[string]int{}
	e, _ := s.read()
	for _, x := range e {
		counts[x.Network] += x.Count
	}
	if counts["192.0.2.1"] != 1000 || counts["192.0.2.2"] != 1 || len(e) != 3 {
		t.Errorf("%d rows, %v", len(e), counts)
	}
}

func TestStoreThatIsAwayGetsTheEventsLater(t *testing.T) {
	t.Parallel()
	s := &store{away: true}
	l, b := open(t, s)
	l.Record(t.Context(), audit.Event{Name: audit.SignedIn, Session: "1"})
	eventually(t, "it was not tried", func() bool { _, n := s.read(); return n > 0 })
	l.Record(t.Context(), audit.Event{Name: audit.SignedOut, Session: "1"})
	s.set(false)
	eventually(t, "they were lost", func() bool { e, _ := s.read(); return len(e) == 2 })
	if e, _ := s.read(); e[0].Name != audit.SignedIn {
		t.Error("their order changed")
	}
	if !strings.Contains(b.String(), "wait for the store") {
		t.Error("the operator is not told")
	}
}

// TestQueueIsBounded: T117, T119: a store that is away, and a flood.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := &store{away: true}
	l, b := open(t, s)
	const n = 12_000
	for i := range n {
		l.Record(t.Context(), audit.Event{Time: noon, Name: audit.SignedIn, Count: i})
		l.Record(t.Context(), audit.Event{Time: noon, Name: audit.LimitHit, Reason: string(rune(i))})
	}
	l.Record(t.Context(), audit.Event{Time: noon, Name: audit.SignedOut})
	eventually(t, "the loss is not told", func() bool { return strings.Contains(b.String(), "were lost") })
	l.Record(t.Context()) // what was being written comes back, and is bounded with the rest
	s.set(false)
	l.Close()
	e, _ := s.read()
	if len(e) > 22_000 || len(e) < 10_000 || e[len(e)-1].Name == audit.SignedIn && e[len(e)-1].Count != n-1 {
		t.Errorf("%d events were kept", len(e))
	}
}

func TestCloseWritesWhatIsQueuedAndMayBeCalledTwice(t *testing.T) {
	t.Parallel()
	s := &store{}
	l, _ := open(t, s)
	l.Record(t.Context(), audit.Event{Name: audit.SignedIn})
	l.Close()
	l.Close()
	if e, _ := s.read(); len(e) != 1 {
		t.Errorf("%d events", len(e))
	}
	l.Record(t.Context(), audit.Event{Name: audit.SignedIn}) // too late, and no harm
}

// TestLineCannotBeForged: R61, a name with a line end or a terminal's escape.
func TestLineCannotBeForged(t *testing.T) {
	t.Parallel()
	l, b := open(t, &store{})
	l.Record(t.Context(), audit.Event{Name: audit.PasswordWrong, Subject: "x\n{\"event\":\"signed_in\"}\x1b[2J", Reason: "no such account"})
	if out := strings.TrimSpace(b.String()); strings.Count(out, "\n") != 0 || strings.ContainsRune(out, 0x1b) {
		t.Errorf("%q", out)
	}
	if strings.Contains(b.String(), `"session"`) || !strings.Contains(b.String(), `"reason":"no such account"`) {
		t.Errorf("%s", b.String())
	}
}
