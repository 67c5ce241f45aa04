package sqlstore

import (
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// firstFlow is a flow as the first release wrote it.
const firstFlow = `{"ID":"flow","Browser":"browser","Purpose":"step-up","Created":"2026-05-04T03:02:01Z",` +
	`"Expires":"2126-05-04T03:32:01Z","Version":4,"Identifier":"alice","Account":"alice-id",` +
	`"Wish":null,"Needs":0,"Since":"2026-05-04T03:02:01Z","PasswordAt":"2026-05-04T03:02:02Z",` +
	`"FactorAt":"2026-05-04T03:02:03Z","FactorKind":"app","Method":"backup","WrongCodes":1,` +
	`"Pending":null,"Replaces":"","Added":"","Codes":null,"CodesSet":"","CodesExpire":"0001-01-01T00:00:00Z",` +
	`"CodesWanted":false,"SkippedCodes":false,"ByLink":false,"NeedsLink":false,"Session":"sid","Return":"/security",` +
	`"Problems":null,"Notices":[{"Kind":"info","Key":"k"}]}`

// An upgrade, and the way back from it, interrupt nobody's sign-in: records are
// decoded strictly, so a flow without a phone is written word for word as the
// first release knows it.
func TestFlowsOfTheFirstReleaseGoOn(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	ctx, at := t.Context(), time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	must(t, e.Ping(ctx))
	db := writer(t, e.db)
	want := login.Flow{
		ID: "flow", Browser: "browser", Purpose: login.StepUp, Created: at, Expires: at.AddDate(100, 0, 0).Add(30 * time.Minute), Version: 4,
		Identifier: "alice", Account: "alice-id", Since: at, PasswordAt: at.Add(time.Second), FactorAt: at.Add(2 * time.Second),
		FactorMethod: account.MethodApp, Method: account.MethodBackup, WrongCodes: 1, Session: session.ID("sid"), Return: "/security",
		Notices: []login.Notice{{Kind: "info", Key: "k"}},
	}
	_, err := db.Exec(`INSERT INTO flows (id, browser, version, created, expires, record) VALUES ($1, $2, $3, $4, $5, $6)`,
		want.ID, want.Browser, want.Version, micros(want.Created), micros(want.Expires), firstFlow)
	must(t, err)
	got, err := e.Flow(ctx, want.Browser, want.ID, at)
	must(t, err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	_, err = e.SaveFlow(ctx, got)
	must(t, err)
	var record string
	must(t, db.QueryRow(`SELECT record FROM flows`).Scan(&record))
	if diff := cmp.Diff(keysOf(t, firstFlow), keysOf(t, record)); diff != "" {
		t.Fatalf("a flow without a phone: -first release +this one:\n%s", diff)
	}
}

// A file of the first release is brought up to date at its first use, and what
// is in it goes on.
func TestSessionFileOfTheFirstReleaseIsTakenOver(t *testing.T) {
	t.Parallel()
	path, ctx, now := filepath.Join(t.TempDir(), "sessions.db"), t.Context(), time.Now().Truncate(time.Second)
	old := sqliteEngine(path, nil)
	p, err := embeddedSchema.provider(writer(t, old))
	must(t, err)
	_, err = p.UpTo(ctx, 1)
	must(t, err)
	ticket, err := encode(session.Ticket{Host: "app.example", Expires: now.Add(time.Minute)})
	must(t, err)
	_, err = writer(t, old).Exec(`INSERT INTO tickets (hash, expires, record) VALUES ($1, $2, $3)`, make([]byte, 32), micros(now.Add(time.Minute)), ticket)
	must(t, err)
	must(t, old.close())

	e := OpenEmbedded(path, EmbeddedOptions{})
	t.Cleanup(func() { must(t, e.Close()) })
	got, err := e.TakeTicket(ctx, [32]byte{}, now)
	must(t, err)
	if got.Host != "app.example" {
		t.Errorf("%+v", got)
	}
	must(t, e.PutOnce(ctx, [32]byte{}, []byte("record"), now.Add(time.Minute)))
	record, err := e.TakeOnce(ctx, [32]byte{}, now)
	must(t, err)
	if string(record) != "record" {
		t.Errorf("%q", record)
	}
}

// firstSession is a session as releases wrote it that did not pack sessions.
const firstSession = `{"ID":"sid","Account":"alice","Created":"2026-05-04T03:02:01.123456789Z","Expires":"2126-05-05T03:02:01Z",` +
	`"Idle":3600000000000,"AMR":["pwd","otp"],"Network":"2001:db8::/64","Browser":"Firefox on Linux","Previous":"2026-05-03T03:02:01Z",` +
	`"Tokens":[{"Hash":[9,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"Purpose":"app","Host":"app.example",` +
	`"Level":1,"PasswordAt":"2026-05-04T03:01:30Z","FactorAt":"0001-01-01T00:00:00Z","FactorKind":"","Issued":"2026-05-04T03:02:05Z"}]}`

// Sessions in a file of before they were packed go on, and are packed when they
// get a token.
func TestSessionsOfTheFirstReleaseGoOn(t *testing.T) {
	t.Parallel()
	path, ctx := filepath.Join(t.TempDir(), "sessions.db"), t.Context()
	old := sqliteEngine(path, nil)
	p, err := embeddedSchema.provider(writer(t, old))
	must(t, err)
	_, err = p.UpTo(ctx, 2)
	must(t, err)
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	want := session.Session{
		ID: "sid", Account: "alice", Created: at.Add(123456789), Expires: at.AddDate(100, 0, 1), Idle: time.Hour, AMR: []string{"pwd", "otp"},
		Network: "2001:db8::/64", Browser: "Firefox on Linux", Previous: at.AddDate(0, 0, -1), LastUsed: at.Add(time.Minute),
		Tokens: []session.Token{{
			Hash: [32]byte{9}, Purpose: session.ForApp, Host: "app.example", Level: session.LevelPassword,
			PasswordAt: at.Add(-31 * time.Second), Issued: at.Add(4 * time.Second),
		}},
	}
	_, err = writer(t, old).Exec(`INSERT INTO sessions (id, account, created, expires, record) VALUES ($1, $2, $3, $4, $5)`,
		want.ID, want.Account, micros(want.Created), micros(want.Expires), firstSession)
	must(t, err)
	_, err = writer(t, old).Exec(`INSERT INTO activity (session, at, expires) VALUES ($1, $2, $3)`, want.ID, micros(want.LastUsed), micros(want.Expires))
	must(t, err)
	must(t, old.close())

	e := OpenEmbedded(path, EmbeddedOptions{})
	t.Cleanup(func() { must(t, e.Close()) })
	is := func(doing string) {
		t.Helper()
		got, err := e.Session(ctx, want.ID)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", doing, diff)
		}
		found, err := e.SessionsOfIDs(ctx, []session.ID{want.ID})
		must(t, err)
		if diff := cmp.Diff([]session.Found{{Session: want}}, found); diff != "" {
			t.Errorf("%s, with others: -want +got:\n%s", doing, diff)
		}
	}
	is("as it was")
	portal := session.Token{Purpose: session.ForPortal, Host: "login.example", Level: session.LevelPassword, Issued: at.Add(time.Hour)}
	must(t, e.SetToken(ctx, want.ID, portal))
	want.Created = want.Created.Truncate(time.Microsecond)
	want.Tokens = append([]session.Token{portal}, want.Tokens...)
	is("with a new token")
	var record string
	must(t, writer(t, e.db).QueryRow(`SELECT record FROM sessions`).Scan(&record))
	if record != "" {
		t.Errorf("beside what is packed there is still %s", record)
	}
	must(t, e.EndSession(ctx, want.ID))
	if _, err := e.Session(ctx, want.ID); !errors.Is(err, session.ErrNotFound) {
		t.Error(err)
	}
}

// keysOf are the keys of a JSON object, in order.
func keysOf(t *testing.T, text string) []string {
	t.Helper()
	var object map[string]json.RawMessage
	must(t, json.Unmarshal([]byte(text), &object))
	return slices.Sorted(maps.Keys(object))
}
