package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// withFactor makes accounts that have a second factor and a session.
func (g *commanded) withFactor(t *testing.T, names ...string) {
	t.Helper()
	e := started.current().engine
	for _, name := range names {
		g.ok(t, "account", "add", name, "--email", name+"@example.com")
		a, err := e.durable.AccountByIdentifier(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		f := account.Factor{ID: login.NewID(), Account: a.ID, Kind: account.KindApp, Label: "phone", Created: time.Now(), Sealed: []byte("x")}
		if err := e.durable.AddFactor(t.Context(), f, "", time.Now()); err != nil {
			t.Fatal(err)
		}
		g.signIn(t, name)
	}
}

// expectFactors wants accounts to have kept factor and session, or to have lost
// both.
func (g *commanded) expectFactors(t *testing.T, kept bool, names ...string) {
	t.Helper()
	for _, name := range names {
		var a accountDetail
		g.json(t, &a, "account", "show", name)
		if len(a.Factors) > 0 != kept || len(a.Sessions) > 0 != kept {
			t.Errorf("%s has %d factors and %d sessions, want some: %v", name, len(a.Factors), len(a.Sessions), kept)
		}
	}
}

// enrolsBy wants a link that lets the account enrol anew within the hour.
func enrolsBy(t *testing.T, link, name string) {
	t.Helper()
	holder, l, err := started.current().machine.LinkHolder(t.Context(), link[strings.LastIndex(link, "/")+1:])
	if err != nil || holder.Name != name || !holder.EnrolByLink || l.Purpose != account.LinkEnrol || l.Expires.Sub(l.Created) != time.Hour {
		t.Errorf("%s: %+v %+v %v", name, holder, l, err)
	}
}

// TestManyGetANewBeginning: for each line of a file what the command does for
// one account, audited one by one.
func TestManyGetANewBeginning(t *testing.T) {
	g := startCommanded(t)
	g.withFactor(t, "ann", "bob", "carl", "dora")
	file := g.file(t, "lost.txt", "\ufeff# lost in the fire\n\nann\n  Bob@Example.com  \r\n")
	out := g.ok(t, "account", "reset-second-factor", "--file", file, "--reason", "the fire")
	lines := strings.Split(out, "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "NAME  UNTIL") || !strings.HasPrefix(lines[3], "Second factors reset: 2 of 2.") {
		t.Fatalf("%q", out)
	}
	for i, name := range []string{"ann", "bob"} {
		words := strings.Fields(lines[1+i])
		if words[0] != name {
			t.Fatal(out)
		}
		enrolsBy(t, words[len(words)-1], name)
	}
	g.expectFactors(t, false, "ann", "bob")
	g.expectFactors(t, true, "carl", "dora")

	var told resetReport
	r := g.run("carl\ndora\n", "account", "reset-second-factor", "--file", "-", "--json")
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != 0 || len(told.Done) != 2 || len(told.NotDone) != 0 {
		t.Fatalf("%v %+v", err, r)
	}
	for _, done := range told.Done {
		enrolsBy(t, done.Link.URL, done.Account)
	}
	if got := g.happened(t, callReset, 8); !slices.Equal(got, slices.Repeat([]string{"second_factor_reset", "set_up_link_made"}, 4)) {
		t.Error(got)
	}
	var list eventList
	g.json(t, &list, "audit", "--account", "ann")
	for _, e := range list.Events {
		if e.Event == "second_factor_reset" && (e.Reason != "the fire" || e.Subject != "ann") {
			t.Errorf("%+v", e)
		}
	}
}

func TestNobodyIsResetWhenALineIsWrong(t *testing.T) {
	g := startCommanded(t)
	g.withFactor(t, "ann", "bob", "out")
	g.ok(t, "account", "disable", "out")
	file := g.file(t, "lost.txt", "ann\n\nnobody\nout\nann@example.com\nbob\n")
	faults := []string{`3: there is no account "nobody"`, "4: out is disabled: enable it first", "5: ann is in line 1 too"}
	reset := func(more ...string) ran {
		return g.run("", append([]string{"account", "reset-second-factor", "--file", file}, more...)...)
	}
	r := reset()
	if r.code != 1 || r.out != "" || !strings.HasPrefix(r.err, "Error: nothing was reset") {
		t.Errorf("%+v", r)
	}
	expectFaults(t, "lost.txt", r.err, faults)
	r = reset("--dry-run")
	if r.code != 1 || r.out != "Nothing was changed. Accounts that can be reset: 2\nann\nbob\n" || !strings.Contains(r.err, "nothing would be reset\n") {
		t.Errorf("%+v", r)
	}
	expectFaults(t, "lost.txt", r.err, faults)
	var told resetReport
	r = reset("--dry-run", "--skip-faulty", "--json")
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != 1 || !told.DryRun || len(told.Done) != 0 || len(told.NotDone) != 2 || len(told.Faults) != 3 {
		t.Errorf("%v %+v", err, r)
	}
	g.expectFactors(t, true, "ann", "bob")
	if got := g.happened(t, callReset+"/check", 3); !slices.Equal(got, slices.Repeat([]string{"operator_read"}, 3)) {
		t.Error(got)
	}
	if got := g.happened(t, callReset, 0); len(got) != 0 { // such events are written with their change
		t.Error(got)
	}
	if r = reset("--skip-faulty"); r.code != 0 || r.err != "" || !strings.Contains(r.out, "reset: 2 of 2.") {
		t.Errorf("%+v", r)
	}
	expectFaults(t, "lost.txt", r.out, faults)
	g.expectFactors(t, false, "ann", "bob")
}

// afterLine calls what once a line was printed that contains text.
type afterLine struct {
	bytes.Buffer
	text string
	what func()
}

func (w *afterLine) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.text)) {
		w.what()
	}
	return w.Buffer.Write(p)
}

// TestAStoppedRunSaysWhoIsDone: a store goes away after the second account.
func TestAStoppedRunSaysWhoIsDone(t *testing.T) {
	g := startCommanded(t)
	g.withFactor(t, "ann", "bob", "carl", "dora")
	ready := &started.current().engine.ready
	out := &afterLine{text: "bob", what: func() { ready.Store(false) }}
	r := g.runTo(out, "ann\nbob\ncarl\ndora\n", "account", "reset-second-factor", "--file", "-")
	ready.Store(true)
	if r.code != 1 || !strings.Contains(r.err, "not ready") || !strings.HasSuffix(r.err, "Done: 2. Not done, the first of them perhaps in part:\ncarl\ndora\n") {
		t.Errorf("%+v", r)
	}
	lines := strings.Split(out.String(), "\n")
	for i, name := range []string{"ann", "bob"} { // whose links are not lost
		enrolsBy(t, lines[1+i][strings.Index(lines[1+i], "http"):], name)
	}
	if !strings.Contains(out.String(), "Second factors reset: 2 of 4.") {
		t.Error(out.String())
	}
	g.expectFactors(t, false, "ann", "bob")
	g.expectFactors(t, true, "carl", "dora")
}

func TestAFileOfResetsHasBounds(t *testing.T) {
	g := startCommanded(t)
	g.refused(t, 2, "either the account's name or --file", "account", "reset-second-factor")
	g.refused(t, 2, "either the account's name or --file", "account", "reset-second-factor", "ann", "--file", "-")
	g.refused(t, 2, "are for --file", "account", "reset-second-factor", "ann", "--dry-run")
	g.refused(t, 2, "no such file", "account", "reset-second-factor", "--file", "none")
	g.refused(t, 1, "names no account", "account", "reset-second-factor", "--file", g.file(t, "empty", "# nobody\n"))
	var many strings.Builder
	for i := range maxResets + 1 {
		fmt.Fprintf(&many, "person%d\n", i)
	}
	g.refused(t, 1, "at most 1000 accounts", "account", "reset-second-factor", "--file", g.file(t, "many", many.String()))
	g.refused(t, 1, "larger than 1 MiB", "account", "reset-second-factor", "--file", g.file(t, "large", strings.Repeat("#\n", 1<<20)))
}
