package sqlstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

func openSessions(t *testing.T, o EmbeddedOptions) (e *Embedded, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sessions.db")
	e = OpenEmbedded(path, o)
	t.Cleanup(func() { _ = e.Close() })
	return e, path
}

var fiveInTen = login.Limit{N: 5, Window: 10 * time.Minute, DoubleTo: time.Hour}

func flowAt(now time.Time) login.Flow {
	return login.Flow{ID: "flow", Browser: "browser", Created: now, Expires: now.Add(login.FlowLife)}
}

func sessionAt(now time.Time) session.Session {
	return session.Session{ID: "sid", Account: "alice", Created: now, Expires: now.Add(24 * time.Hour)}
}

// V56: a restart signs nobody out and forgives no attempt.
func TestRestartForgetsNothing(t *testing.T) {
	t.Parallel()
	e, path := openSessions(t, EmbeddedOptions{})
	ctx, now := t.Context(), time.Now().Truncate(time.Second)
	must(t, e.CreateFlow(ctx, flowAt(now)))
	must(t, e.CreateSession(ctx, sessionAt(now)))
	must(t, e.Touch(ctx, "sid", now, time.Hour))
	must(t, e.PutTicket(ctx, [32]byte{1}, session.Ticket{Host: "h", Expires: now.Add(time.Minute)}))
	must(t, e.PutOnce(ctx, [32]byte{1}, []byte("record"), now.Add(time.Minute)))
	for range fiveInTen.N {
		_, err := e.Take(ctx, "k", fiveInTen, now)
		must(t, err)
	}
	must(t, e.Close())

	e = OpenEmbedded(path, EmbeddedOptions{})
	defer e.Close()
	_, err := e.Flow(ctx, "browser", "flow", now)
	must(t, err)
	s, err := e.Session(ctx, "sid")
	must(t, err)
	if !s.LastUsed.Equal(now) {
		t.Errorf("last used %s, want %s", s.LastUsed, now)
	}
	_, err = e.TakeTicket(ctx, [32]byte{1}, now)
	must(t, err)
	_, err = e.TakeOnce(ctx, [32]byte{1}, now)
	must(t, err)
	var limited *login.Limited
	if _, err = e.Take(ctx, "k", fiveInTen, now); !errors.As(err, &limited) || limited.RetryAfter != 10*time.Minute {
		t.Errorf("a try after the restart: %v", err)
	}
}

func TestPurgeRemovesWhatExpiredAndNothingElse(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	e, _ := openSessions(t, EmbeddedOptions{Now: func() time.Time { return now }})
	ctx := t.Context()
	must(t, e.CreateFlow(ctx, flowAt(now)))
	must(t, e.CreateSession(ctx, sessionAt(now)))
	must(t, e.Touch(ctx, "sid", now, time.Hour))
	must(t, e.flush(ctx))
	must(t, e.PutTicket(ctx, [32]byte{1}, session.Ticket{Expires: now.Add(time.Minute)}))
	must(t, e.PutOnce(ctx, [32]byte{1}, nil, now.Add(2*time.Minute)))
	must(t, e.PublishNode(ctx, "id", session.Node{Hosts: []string{"h"}}, time.Minute))
	for range fiveInTen.N {
		_, err := e.Take(ctx, "k", fiveInTen, now)
		must(t, err)
	}
	rows := func() (n int) {
		must(t, writer(t, e.db).QueryRow(`SELECT (SELECT COUNT(*) FROM flows) + (SELECT COUNT(*) FROM sessions)
			+ (SELECT COUNT(*) FROM activity) + (SELECT COUNT(*) FROM tickets) + (SELECT COUNT(*) FROM nodes) + (SELECT COUNT(*) FROM once)
			+ (SELECT COUNT(*) FROM tries) + (SELECT COUNT(*) FROM waits)`).Scan(&n))
		return n
	}
	for _, step := range []struct {
		after time.Duration
		left  int
	}{
		{0, 12},
		{time.Minute, 10},         // ticket, node
		{2 * time.Minute, 9},      // taken once
		{10 * time.Minute, 4},     // tries
		{30 * time.Minute, 3},     // flow
		{time.Hour, 2},            // last use
		{24 * time.Hour, 1},       // session
		{31 * 24 * time.Hour, 0},  // how often the window filled
		{400 * 24 * time.Hour, 0}, // nothing
	} {
		must(t, e.Purge(ctx, now.Add(step.after)))
		if got := rows(); got != step.left {
			t.Fatalf("%d rows after %s, want %d", got, step.after, step.left)
		}
	}
}

// TestLongPurgeLetsOthersWrite: what is removed goes in many transactions, and a
// sign-in meanwhile waits for one of them.
func TestLongPurgeLetsOthersWrite(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	e, _ := openSessions(t, EmbeddedOptions{Now: func() time.Time { return now }})
	ctx := t.Context()
	const expired = 10*fewestRows + 1
	for i := range expired {
		s := sessionAt(now)
		s.ID = session.ID(fmt.Sprint("old", i))
		must(t, e.CreateSession(ctx, s))
	}
	db := writer(t, e.db)
	for _, statement := range []string{
		"CREATE TABLE seen (sessions INTEGER)",
		"CREATE TRIGGER seeing AFTER INSERT ON tickets BEGIN INSERT INTO seen SELECT COUNT(*) FROM sessions; END",
	} {
		_, err := db.Exec(statement)
		must(t, err)
	}
	hold, err := db.Conn(ctx)
	must(t, err)
	done, before := make(chan error, 2), db.Stats().WaitCount
	for i, work := range []func() error{
		func() error { return e.Purge(ctx, now.Add(24*time.Hour)) },
		func() error { return e.PutTicket(ctx, [32]byte{1}, session.Ticket{Expires: now.Add(time.Hour)}) },
	} {
		go func() { done <- work() }()
		for db.Stats().WaitCount == before+int64(i) { // in this order
			time.Sleep(time.Millisecond)
		}
	}
	must(t, hold.Close())
	must(t, <-done)
	must(t, <-done)
	var seen, left int
	must(t, db.QueryRow(`SELECT sessions, (SELECT COUNT(*) FROM sessions) FROM seen`).Scan(&seen, &left))
	if seen == 0 || left != 0 {
		t.Errorf("when a ticket was stored meanwhile %d expired sessions were left, in the end %d", seen, left)
	}
}

func TestExpiryFollowsTheClockThatIsGiven(t *testing.T) {
	t.Parallel()
	// Far from the wall clock, as a test of the whole sets it.
	now := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := now
	e, _ := openSessions(t, EmbeddedOptions{Now: func() time.Time { return clock }})
	ctx := t.Context()
	must(t, e.CreateSession(ctx, sessionAt(now)))
	must(t, e.CreateFlow(ctx, flowAt(now)))
	must(t, e.PutOnce(ctx, [32]byte{}, nil, now.Add(time.Minute)))
	if err := e.PutOnce(ctx, [32]byte{1}, nil, now); err == nil {
		t.Error("an expired record was stored")
	}
	clock = now.Add(time.Minute)
	if _, err := e.PeekOnce(ctx, [32]byte{}, now); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("an expired record: %v", err)
	}
	clock = now.Add(login.FlowLife)
	if _, err := e.SaveFlow(ctx, flowAt(now)); !errors.Is(err, login.ErrNoFlow) {
		t.Errorf("an expired flow was saved: %v", err)
	}
	clock = now.Add(24*time.Hour - time.Second)
	_, err := e.Session(ctx, "sid")
	must(t, err)
	clock = now.Add(24 * time.Hour)
	if _, err := e.Session(ctx, "sid"); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("an expired session: %v", err)
	}
}

// T112: a record that was never written denies; it is never an empty one.
func TestCorruptRecordsDeny(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	ctx, now := t.Context(), time.Now().Truncate(time.Second)
	must(t, e.CreateFlow(ctx, flowAt(now)))
	must(t, e.CreateSession(ctx, sessionAt(now)))
	beside := sessionAt(now)
	beside.ID, beside.Account = "good", "carol"
	must(t, e.CreateSession(ctx, beside))
	other := sessionAt(now)
	other.Account = "bob"
	othersSession, err := encode(other)
	must(t, err)
	stranger := flowAt(now)
	stranger.Browser = "another"
	othersFlow, err := encode(stranger)
	must(t, err)
	denied := func(what string) {
		t.Helper()
		_, err := e.Session(ctx, "sid")
		wantCorrupt(t, "Session of "+what, err)
		found, err := e.SessionsOfIDs(ctx, []session.ID{"good", "sid"})
		must(t, err)
		wantCorrupt(t, "SessionsOfIDs of "+what, found[1].Err)
		if found[0].Err != nil || found[0].Session.Account != "carol" {
			t.Errorf("beside %s: %+v", what, found[0])
		}
		_, err = e.SessionsOf(ctx, "alice")
		wantCorrupt(t, "SessionsOf of "+what, err)
		listed, err := e.SessionsOfAccounts(ctx, []account.ID{"alice", "bob"}) // bob has none
		must(t, err)
		wantCorrupt(t, "SessionsOfAccounts of "+what, listed[0].Err)
		if len(listed[0].Sessions) != 0 || listed[1].Err != nil {
			t.Errorf("SessionsOfAccounts of %s: %+v", what, listed)
		}
		wantCorrupt(t, "SetToken of "+what, e.SetToken(ctx, "sid", session.Token{Host: "h"}))
	}
	db := writer(t, e.db)
	moved := sessionAt(now)
	moved.ID = "other"
	good := session.Pack(sessionAt(now))
	for what, record := range map[string][]byte{
		"another's session": session.Pack(other), "another session": session.Pack(moved), "no bytes": {}, "JSON": []byte(othersSession),
		"half a session": good[:len(good)/2], "a session and more": append(slices.Clone(good), 0), "a part of one": []byte(session.PackRecord(sessionAt(now))),
	} {
		_, err := db.Exec(`UPDATE sessions SET packed = $1 WHERE id = 'sid'`, record)
		must(t, err)
		denied(what)
	}
	_, err = db.Exec(`UPDATE sessions SET packed = $1 WHERE id = 'sid'`, good)
	must(t, err)
	_, err = e.Session(ctx, "sid")
	must(t, err)
	for _, record := range []string{
		"", "null", "{}", "[]", "1", `"text"`, `{"ID":"sid"`, `{"ID":"sid","Account":"alice","Role":"admin"}`,
		othersSession, othersFlow, othersSession + othersSession, `{"ID":7}`, `{"Expires":"tomorrow"}`,
		strings.Repeat(" ", 10<<20) + othersSession, strings.Repeat("[", 100_000),
	} {
		_, err := db.Exec(`UPDATE sessions SET packed = NULL, record = $1 WHERE id = 'sid'`, record) // as a release before wrote it
		must(t, err)
		_, err = db.Exec(`UPDATE flows SET record = $1`, record)
		must(t, err)
		short := record[:min(len(record), 60)]
		denied(short)
		_, err = e.Flow(ctx, "browser", "flow", now)
		wantCorrupt(t, "Flow of "+short, err)
		_, err = db.Exec(`INSERT INTO tickets (hash, expires, record) VALUES ($1, $2, $3)`, make([]byte, 32), micros(now.Add(time.Minute)), `{"x":1}`)
		must(t, err)
		_, err = e.TakeTicket(ctx, [32]byte{}, now)
		wantCorrupt(t, "ticket", err)
	}
	must(t, e.EndSession(ctx, "sid")) // ends what nobody can read
	if _, err := e.Session(ctx, "sid"); !errors.Is(err, session.ErrNotFound) {
		t.Fatal(err)
	}
}

// What nobody can have stored denies, and is consumed by who takes it.
func TestCorruptRecordTakenOnceDenies(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	ctx, now := t.Context(), time.Now().Truncate(time.Second)
	must(t, e.Ping(ctx))
	for what, row := range map[string]struct {
		record  []byte
		expires int64
	}{
		"too long": {make([]byte, login.MaxOnce+1), micros(now.Add(time.Minute))},
		"no time":  {nil, -1},
		"too late": {nil, maxTime},
	} {
		_, err := writer(t, e.db).Exec(`INSERT INTO once (key, expires, record) VALUES ($1, $2, $3)`, make([]byte, 32), row.expires, blob(row.record))
		must(t, err)
		_, err = e.PeekOnce(ctx, [32]byte{}, now)
		wantCorrupt(t, "peek "+what, err)
		_, err = e.TakeOnce(ctx, [32]byte{}, now)
		wantCorrupt(t, "take "+what, err)
		if _, err := e.TakeOnce(ctx, [32]byte{}, now); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s is not consumed: %v", what, err)
		}
	}
}

func TestCorruptCountersDeny(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	ctx, now := t.Context(), time.Now()
	for range fiveInTen.N {
		_, err := e.Take(ctx, "k", fiveInTen, now)
		must(t, err)
	}
	db := writer(t, e.db)
	for _, damage := range []string{`until = -1`, `until = 9223372036854775807`, `fills = -1`} {
		_, err := db.Exec(`UPDATE waits SET until = 0, fills = 1`)
		must(t, err)
		_, err = db.Exec(`UPDATE waits SET ` + damage)
		must(t, err)
		_, err = e.Take(ctx, "k", fiveInTen, now)
		wantCorrupt(t, damage, err)
	}
	// A huge number of filled windows waits as long as can be, and ends.
	_, err := db.Exec(`UPDATE waits SET until = 0, fills = 4611686018427387904`)
	must(t, err)
	must(t, e.Ping(ctx))
	later := now.Add(fiveInTen.Window)
	for range fiveInTen.N {
		_, err := e.Take(ctx, "k", fiveInTen, later)
		must(t, err)
	}
	var limited *login.Limited
	if _, err := e.Take(ctx, "k", fiveInTen, later); !errors.As(err, &limited) || limited.RetryAfter.Round(time.Second) != time.Hour {
		t.Fatalf("%v", err)
	}
}

func TestLimitThatCannotBeCountedIsRefused(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	for _, l := range []login.Limit{{}, {N: 5}, {Window: time.Minute}, {N: -1, Window: time.Minute}} {
		if _, err := e.Take(t.Context(), "k", l, time.Now()); err == nil {
			t.Errorf("%+v let a try through", l)
		}
	}
}

func TestLoweredLimitSaysWhenATryIsCountedAgain(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	ctx, now := t.Context(), time.Now().Truncate(time.Second)
	wide, narrow := login.Limit{N: 6, Window: 10 * time.Minute}, login.Limit{N: 3, Window: 10 * time.Minute}
	for i := range wide.N {
		_, err := e.Take(ctx, "k", wide, now.Add(time.Duration(i)*time.Minute))
		must(t, err)
	}
	var limited *login.Limited
	at := now.Add(6 * time.Minute)
	if _, err := e.Take(ctx, "k", narrow, at); !errors.As(err, &limited) {
		t.Fatal(err)
	}
	_, err := e.Take(ctx, "k", narrow, at.Add(limited.RetryAfter-time.Second))
	if err == nil {
		t.Fatal("counted before the time that was told")
	}
	_, err = e.Take(ctx, "k", narrow, at.Add(limited.RetryAfter))
	must(t, err)
}

func TestClosedStoreTellsItsListeners(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	must(t, e.Ping(t.Context()))
	var l liveness
	e.Watch(&l)
	if !l.live {
		t.Fatal("not live at once")
	}
	must(t, e.Close())
	if l.live {
		t.Fatal("live after Close")
	}
	e.Watch(&l)()
	if l.live {
		t.Fatal("live on a closed store")
	}
	wantUnavailable(t, e.Touch(t.Context(), "sid", time.Now(), time.Hour), "closed")
}

type liveness struct {
	session.Listener
	live bool
}

func (l *liveness) Live(live bool) { l.live = live }
