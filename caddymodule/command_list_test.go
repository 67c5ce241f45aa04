package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// What lists print with --json.
type (
	accountListView struct {
		Accounts []accountView `json:"accounts"`
	}
	sessionList struct {
		Sessions []sessionView `json:"sessions"`
	}
)

// A list of numbers, by a call that only tests make: n of them, then an error
// if there is to be one.
type numbersArguments struct {
	N     int    `json:"n"`
	Fails bool   `json:"fails"`
	Text  string `json:"text"` // with every number
}

type numberView struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
}

func (n numberView) row() []string { return []string{fmt.Sprint(n.Number), n.Text} }

// numbersEnded hears why a reading ended.
var numbersEnded = make(chan error, 1)

func init() { adminLists["test/numbers"] = lists(listNumbers) }

func listNumbers(_ *operation, said numbersArguments, l *listing) (err error) {
	defer func() { numbersEnded <- err }()
	for i := range said.N {
		if err := l.send(numberView{i, said.Text}); err != nil {
			return err
		}
		if i%pageSize == pageSize-1 {
			if err := l.flush(); err != nil {
				return err
			}
		}
	}
	if said.Fails {
		return fmt.Errorf("reading numbers: %w", session.ErrUnavailable)
	}
	return nil
}

// numbers runs the command that prints the list.
func (g *commanded) numbers(said numbersArguments, asJSON bool) (out, errs string, err error) {
	f := &adminFlags{address: g.address, keys: filepath.Join(g.dir, "keys"), json: asJSON}
	var printed, told bytes.Buffer
	c := &cobra.Command{Use: "numbers", SilenceUsage: true, RunE: func(c *cobra.Command, _ []string) error {
		return f.list(c, "test/numbers", said, listSink(f, c, "numbers", "NUMBER,TEXT", numberView.row))
	}}
	c.SetArgs(nil)
	c.SetOut(&printed)
	c.SetErr(&told)
	exact(c)
	err = c.ExecuteContext(c.Context())
	return printed.String(), told.String(), err
}

// Twenty thousand accounts come by name and each once, as the JSON that one
// answer would be; so do the sessions of some.
func TestLongListsAreWhole(t *testing.T) {
	g := startCommanded(t)
	e, ctx, now := started.current().engine, t.Context(), time.Now()
	const many = 20_000
	var names []string
	for range 2 {
		var all []account.Account
		for range many / 2 {
			names = append(names, fmt.Sprintf("person%05d", len(names)))
			all = append(all, account.Account{
				ID: account.ID(login.NewID()), Name: names[len(names)-1], DisplayName: "<P> \u202e", Created: now, LastSignIn: now,
			})
		}
		if _, err := e.durable.CreateAccounts(ctx, all); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]string{}
	for i := 0; i < many; i += 397 {
		for range 2 {
			want[names[i]] = append(want[names[i]], string(g.signIn(t, names[i])))
		}
	}

	printed := g.ok(t, "account", "list", "--json")
	var list accountListView
	if err := json.Unmarshal([]byte(printed), &list); err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	c := new(cobra.Command)
	c.SetOut(&whole)
	if err := printJSON(c, list); err != nil || whole.String() != printed {
		t.Errorf("not printed as one: %v", err)
	}
	if len(list.Accounts) != many {
		t.Fatalf("%d accounts", len(list.Accounts))
	}
	for i, a := range list.Accounts {
		if a.Name != names[i] {
			t.Fatalf("%s at the place of %s", a.Name, names[i])
		}
	}
	table := strings.Split(strings.TrimSpace(g.ok(t, "account", "list")), "\n")
	if len(table) != many+1 || !strings.HasPrefix(table[0], "NAME         EMAIL") || !strings.HasPrefix(table[many], names[many-1]+"  -") {
		t.Errorf("%d lines, the last %q", len(table), table[len(table)-1])
	}
	csv := strings.Split(strings.TrimSpace(g.ok(t, "account", "export", "--format", "csv")), "\n")
	if len(csv) != many+1 || !strings.HasPrefix(csv[many], names[many-1]+",") {
		t.Errorf("%d lines, the last %q", len(csv), csv[len(csv)-1])
	}

	var sessions sessionList
	g.json(t, &sessions, "session", "list")
	var last string
	for _, s := range sessions.Sessions {
		own := want[s.Account]
		if s.Account < last || len(own) == 0 || own[len(own)-1] != s.ID { // newest first
			t.Fatalf("%s of %s after %s", s.ID, s.Account, last)
		}
		last, want[s.Account] = s.Account, own[:len(own)-1]
	}
	if len(sessions.Sessions) != 2*((many+396)/397) {
		t.Errorf("%d sessions", len(sessions.Sessions))
	}
}

func TestEmptyListIsWhole(t *testing.T) {
	g := startCommanded(t)
	if out := g.ok(t, "account", "list", "--json"); out != "{\n  \"accounts\": []\n}\n" {
		t.Errorf("%q", out)
	}
	if out := g.ok(t, "session", "list"); out != "SESSION  ACCOUNT  SINCE  LAST USED  PROVIDER  NETWORK  BROWSER  HOSTS\n" {
		t.Errorf("%q", out)
	}
	if out := g.ok(t, "account", "export", "--format", "csv"); out != "name,email,display_name,groups,provider,disabled\n" {
		t.Errorf("%q", out)
	}
}

// A store that goes away in the middle is told, after what came before it, and
// what was printed is no JSON that a program could take for the whole.
func TestListThatFailsInTheMiddleIsAnError(t *testing.T) {
	g := startCommanded(t)
	for _, n := range []int{0, 1, 1000, 12_345} {
		for _, asJSON := range []bool{false, true} {
			out, errs, err := g.numbers(numbersArguments{N: n, Fails: true}, asJSON)
			<-numbersEnded
			var known *exitError
			if !errors.As(err, &known) || known.code != exitRefused || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "a store does not answer") {
				t.Errorf("%d: %v, %q", n, err, errs)
			}
			switch {
			case n == 0 && out != "":
				t.Errorf("%q", out)
			case asJSON && (json.Valid([]byte(out)) || strings.Count(out, `"number"`) != n):
				t.Errorf("%d: %d bytes", n, len(out))
			case !asJSON && n > 0 && strings.Count(out, "\n") != n+1:
				t.Errorf("%d: %d lines", n, strings.Count(out, "\n"))
			}
		}
	}
	out, errs, err := g.numbers(numbersArguments{N: 3}, true)
	<-numbersEnded
	if err != nil || errs != "" || !json.Valid([]byte(out)) {
		t.Errorf("%q, %q, %v", out, errs, err)
	}
}

// brokenPrinter is where a command prints that nobody reads any more.
type brokenPrinter struct{}

func (brokenPrinter) item(json.RawMessage) error { return io.ErrClosedPipe }
func (brokenPrinter) close(error) error          { return nil }

func TestInterruptedCommandEndsTheReading(t *testing.T) {
	g := startCommanded(t)
	f := &adminFlags{address: g.address, keys: filepath.Join(g.dir, "keys")}
	c := new(cobra.Command)
	c.SetContext(t.Context())
	err := f.list(c, "test/numbers", numbersArguments{N: 1 << 40}, brokenPrinter{})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	select {
	case err := <-numbersEnded:
		if err == nil {
			t.Error("it came to its end")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the node reads on")
	}
	if got := g.happened(t, "test/numbers", 1); !slices.Equal(got, []string{"operator_read"}) {
		t.Errorf("in the audit: %v", got)
	}
}

// weighing looks at the memory that is in use while a list comes.
type weighing struct {
	n    int
	most uint64
}

func (w *weighing) item(json.RawMessage) error {
	if w.n++; w.n%20_000 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.most = max(w.most, m.HeapAlloc)
	}
	return nil
}

func (w *weighing) close(failed error) error { return failed }

// Node and command are both in this process; the list has 100 MB.
func TestListNeedsNoMemoryForItsLength(t *testing.T) {
	g := startCommanded(t)
	f := &adminFlags{address: g.address, keys: filepath.Join(g.dir, "keys")}
	c := new(cobra.Command)
	c.SetContext(t.Context())
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	w := new(weighing)
	const n = 100_000
	if err := f.list(c, "test/numbers", numbersArguments{N: n, Text: strings.Repeat("x", 1000)}, w); err != nil {
		t.Fatal(err)
	}
	<-numbersEnded
	if w.n != n || w.most > before.HeapAlloc+8<<20 {
		t.Errorf("%d items; %d MiB in use, before that %d", w.n, w.most>>20, before.HeapAlloc>>20)
	}
}

// A connection that ends early, or an answer without its last line, is no list.
func TestListThatIsCutShortIsAnError(t *testing.T) {
	g := startCommanded(t)
	items := strings.Repeat(`{"item":{"number":7}}`+"\n\n", 3)
	for name, c := range map[string]struct{ answer, why string }{
		"of before lists": {`{"result":{"numbers":[{"number":7}]}}`, "different releases"},
		"no end":          {items, "broke off"},
		"nothing":         {"", "broke off"},
		"half a line":     {items + `{"item":{"num`, "broke off"},
		"no JSON":         {items + "<p>\n" + items, "different releases"},
		"something else":  {items + `{"other":1}` + "\n", "different releases"},
		"torn":            {items + "TEAR", "broke off"},
		"a line of 2 MB":  {items + strings.Repeat(" ", 2<<20), "broke off"},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if w.Header().Set("Content-Type", listKind); strings.HasPrefix(c.answer, `{"result"`) {
				w.Header().Set("Content-Type", "application/json")
			}
			text, torn := strings.CutSuffix(c.answer, "TEAR")
			_, _ = io.WriteString(w, text)
			if torn {
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		})}
		go server.Serve(l) //nolint:errcheck // it ends with the test
		there := &commanded{dir: g.dir, address: l.Addr().String()}
		out, errs, err := there.numbers(numbersArguments{}, true)
		var known *exitError
		if !errors.As(err, &known) || known.code != exitRefused || !strings.Contains(errs, c.why) || json.Valid([]byte(out)) {
			t.Errorf("%s: %v, %q, %q", name, err, errs, out)
		}
		_ = server.Close()
	}
}

// A wait for the node is bounded; a pause of whoever reads is not.
func TestPauseOfTheReaderEndsNoList(t *testing.T) {
	t.Parallel()
	const life = 200 * time.Millisecond
	out := make(chan struct{})
	timer := time.AfterFunc(time.Hour, func() { close(out) })
	from, to := io.Pipe()
	r := patientReader{from, timer, life}
	go io.WriteString(to, "ab") //nolint:errcheck // both bytes are read below
	for range 2 {
		if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * life)
	}
	select {
	case <-out:
		t.Fatal("it ran out while nobody read")
	default:
	}
	go r.Read(make([]byte, 1)) //nolint:errcheck // nothing comes
	select {
	case <-out:
	case <-time.After(10 * time.Second):
		t.Error("it waits for ever")
	}
	_ = to.Close()
}
