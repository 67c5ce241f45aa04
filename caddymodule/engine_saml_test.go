package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// samlNode is an engine over the files of one folder, and what it logs.
type samlNode struct {
	*engine
	t   *testing.T
	dir string
	log *lockedLog
}

type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newSAMLNode(t *testing.T, dir string) *samlNode {
	t.Helper()
	log := new(lockedLog)
	return &samlNode{t: t, dir: dir, log: log, engine: newEngine(sqlstore.OpenSQLite(filepath.Join(dir, "accounts.db")),
		sqlstore.OpenEmbedded(filepath.Join(dir, "sessions.db"), sqlstore.EmbeddedOptions{}),
		filepath.Join(dir, "keys"), gateOf(1), slog.New(slog.NewTextHandler(log, nil)))}
}

// samlStarted is a node that serves; embedded is what ensureSAMLKeys is told before,
// where it is told at all.
func samlStarted(t *testing.T, dir string, embedded ...bool) *samlNode {
	t.Helper()
	n := newSAMLNode(t, dir)
	for _, only := range embedded {
		n.must(n.ensureSAMLKeys(only))
	}
	n.must(n.start())
	t.Cleanup(n.end)
	// start waits a few seconds, and a busy machine takes longer for the keys.
	for end := time.Now().Add(30 * time.Second); !n.ready.Load(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not ready: %s", n.log)
		}
	}
	return n
}

// end may be called twice.
func (n *samlNode) end() { n.must(n.Destruct()) }

func (n *samlNode) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *samlNode) file() []byte {
	n.t.Helper()
	info, err := os.Stat(n.keyFile)
	n.must(err)
	if info.Mode().Perm() != 0o600 {
		n.t.Errorf("the ring has mode %04o", info.Mode().Perm())
	}
	text, err := os.ReadFile(n.keyFile)
	n.must(err)
	return text
}

// missing are the purposes without a key, of the ring in force and of the file.
func (n *samlNode) missing() (missing []keyring.Purpose) {
	n.t.Helper()
	missing = withoutSAML(n.keys.Load().ring)
	ring, err := keyring.Parse(n.file())
	n.must(err)
	if diff := cmp.Diff(ring.Marks(), n.keys.Load().ring.Marks()); diff != "" {
		n.t.Errorf("the file is not in force: %s", diff)
	}
	return missing
}

// added are the subjects of the audit's events of new keys, when there are n.
func (n *samlNode) added(count int) (subjects []string) {
	n.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		events, err := n.durable.Events(context.Background(), sqlstore.EventFilter{Name: audit.KeyAdded})
		n.must(err)
		if len(events) < count && time.Now().Before(end) {
			continue
		}
		for _, e := range events {
			subjects = append(subjects, e.Subject)
		}
		slices.Sort(subjects)
		return subjects
	}
}

var bothAdded = []string{"saml-decryption key 1", "saml-signing key 1"}

// What does not use SAML gets no keys for it.
func TestRingIsMadeWithSAMLKeysOnlyWhereTheyAreNeeded(t *testing.T) {
	t.Parallel()
	if n := samlStarted(t, t.TempDir()); len(n.missing()) != 2 {
		t.Error("keys were made that nobody asked for")
	}
	for _, embedded := range []bool{true, false} {
		n := samlStarted(t, t.TempDir(), embedded)
		if missing := n.missing(); missing != nil {
			t.Errorf("embedded %v: the new ring lacks %v", embedded, missing)
		}
		if strings.Contains(n.log.String(), "for SAML") {
			t.Errorf("embedded %v: %s", embedded, n.log)
		}
	}
}

func TestOnlyNodeAddsSAMLKeysToItsRing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := samlStarted(t, dir)
	was, older := before.keys.Load().ring, before.file()
	before.end()
	n := samlStarted(t, dir, true)
	if missing := n.missing(); missing != nil {
		t.Fatalf("the ring lacks %v", missing)
	}
	ring := n.keys.Load().ring
	if ring.Fingerprint() != was.Fingerprint() || !cmp.Equal(ring.Marks()[:len(was.Marks())], was.Marks()) {
		t.Error("another key changed")
	}
	if diff := cmp.Diff(bothAdded, n.added(2)); diff != "" {
		t.Errorf("in the audit: %s", diff)
	}
	if !strings.Contains(n.log.String(), "make a new backup of it") {
		t.Errorf("the log: %s", n.log)
	}
	if keys := keysOf(ring); !slices.Contains(keys, "saml-signing/1") || !slices.Contains(keys, "saml-decryption/1") {
		t.Errorf("other nodes are told of %v", keys)
	}
	n.end()
	// What has keys keeps them.
	again := samlStarted(t, dir, true)
	if !again.keys.Load().ring.SAMLSigningKeys()[0].Certificate.Equal(ring.SAMLSigningKeys()[0].Certificate) {
		t.Error("the certificate changed at a restart")
	}
	if diff := cmp.Diff(bothAdded, again.added(2)); diff != "" {
		t.Errorf("in the audit after a restart: %s", diff)
	}
	again.end()
	// The database remembers them like all keys.
	n.must(os.WriteFile(filepath.Join(dir, "keys"), older, 0o600))
	restored := newSAMLNode(t, dir)
	defer restored.end()
	n.must(restored.ensureSAMLKeys(true))
	if err := restored.start(); !errors.Is(err, sqlstore.ErrOldRing) {
		t.Errorf("the ring from before: %v", err)
	}
}

// A reload brings SAML to an engine that has run for long.
func TestSAMLKeysAreAddedWhileRunning(t *testing.T) {
	t.Parallel()
	n := samlStarted(t, t.TempDir())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := n.ensureSAMLKeys(true); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if missing := n.missing(); missing != nil {
		t.Errorf("the ring lacks %v", missing)
	}
	if diff := cmp.Diff(bothAdded, n.added(2)); diff != "" {
		t.Errorf("in the audit: %s", diff)
	}
}

// Each of several nodes would make other keys: an operator makes them once.
func TestOneOfSeveralNodesLeavesSAMLKeysToItsOperator(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := samlStarted(t, dir)
	older := before.file()
	before.end()
	n := samlStarted(t, dir, false)
	const says = "on one node run `sallyport keys add saml-signing` and `sallyport keys add saml-decryption`, then copy the key ring to the others and run `sallyport keys reload` there"
	told := func(text string) int { return strings.Count(n.log.String(), text) }
	n.wakeSAML()
	time.Sleep(50 * time.Millisecond)
	if !bytes.Equal(n.file(), older) || len(n.missing()) != 2 {
		t.Error("a node that is not the only one made keys")
	}
	if told(says) != 1 || !strings.Contains(n.log.String(), "level=ERROR msg=\"the key ring lacks keys for SAML") {
		t.Errorf("the log: %s", n.log)
	}
	app := new(App)
	app.engine, app.log = n.engine, slog.New(slog.DiscardHandler)
	operator := &operation{ctx: context.Background(), app: app, engine: n.engine, now: time.Now()}
	add := func(purpose keyring.Purpose) {
		t.Helper()
		if _, err := addKey(operator, keyArguments{Purpose: string(purpose)}); err != nil {
			t.Fatal(err)
		}
	}
	add(keyring.SAMLSigning)
	n.must(n.ensureSAMLKeys(false)) // a reload in between names what is still to be done
	if told(says) != 1 || told("on one node run `sallyport keys add saml-decryption`, then") != 1 {
		t.Errorf("the log: %s", n.log)
	}
	add(keyring.SAMLDecryption)
	whole := n.log.String()
	n.must(n.ensureSAMLKeys(false))
	if missing := n.missing(); missing != nil || strings.Contains(strings.TrimPrefix(n.log.String(), whole), "lacks") {
		t.Errorf("the ring lacks %v; the log: %s", missing, n.log)
	}
}

// T107: stores that are away when the configuration asks are waited for.
func TestSAMLKeysAreAddedWhenTheStoresAreThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := samlStarted(t, dir)
	before.end()
	database, aside := filepath.Join(dir, "accounts.db"), filepath.Join(dir, "aside.db")
	before.must(errors.Join(os.Rename(database, aside), os.Mkdir(database, 0o700)))
	n := newSAMLNode(t, dir)
	t.Cleanup(n.end)
	n.must(n.start())
	n.must(n.ensureSAMLKeys(true))
	if n.ready.Load() {
		t.Fatal("ready without a database")
	}
	n.must(errors.Join(os.Remove(database), os.Rename(aside, database)))
	n.waitForSAML()
	if diff := cmp.Diff(bothAdded, n.added(2)); diff != "" {
		t.Errorf("in the audit: %s", diff)
	}
}

func (n *samlNode) waitForSAML() {
	n.t.Helper()
	for end := time.Now().Add(20 * time.Second); !n.ready.Load() || len(withoutSAML(n.keys.Load().ring)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			n.t.Fatalf("no keys for SAML: %s", n.log)
		}
	}
	if missing := n.missing(); missing != nil {
		n.t.Errorf("the ring lacks %v", missing)
	}
}

// A reload while the database is silent is no reason to refuse it.
func TestSAMLKeysWaitForASilentDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := samlStarted(t, dir)
	db := openSQL(t, filepath.Join(dir, "accounts.db"))
	defer db.Close()
	held, err := db.Conn(context.Background())
	n.must(err)
	defer held.Close()
	_, err = held.ExecContext(context.Background(), "BEGIN IMMEDIATE")
	n.must(err)
	begun := time.Now()
	n.must(n.ensureSAMLKeys(true))
	if took := time.Since(begun); took > firstTry+3*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(withoutSAML(n.keys.Load().ring)) != 2 {
		t.Fatal("the database took a change while it was locked")
	}
	if !strings.Contains(n.log.String(), "no keys for SAML yet") {
		t.Errorf("the log: %s", n.log)
	}
	_, err = held.ExecContext(context.Background(), "ROLLBACK")
	n.must(err)
	n.waitForSAML()
	if diff := cmp.Diff(bothAdded, n.added(2)); diff != "" {
		t.Errorf("in the audit: %s", diff)
	}
}

// What waiting cannot mend refuses the configuration; what runs goes on.
func TestSAMLKeysThatCannotBeAddedAreAnError(t *testing.T) {
	t.Parallel()
	n := samlStarted(t, t.TempDir())
	right := n.file()
	ring := n.keys.Load().ring
	refused := func(want string) {
		t.Helper()
		if err := n.ensureSAMLKeys(true); err == nil || !strings.Contains(err.Error(), "adding keys for SAML") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		if n.keys.Load().ring != ring || !n.ready.Load() {
			t.Error("the engine changed")
		}
	}
	foreign, err := keyring.New(time.Now())
	n.must(err)
	n.must(foreign.Save(n.keyFile))
	refused("another key ring than the running one")
	n.must(os.Remove(n.keyFile))
	refused("no such file")
	n.must(os.WriteFile(n.keyFile, right, 0o600))
	n.must(n.ensureSAMLKeys(true))
	if missing := n.missing(); missing != nil {
		t.Errorf("the ring lacks %v", missing)
	}
}

// TestSAMLKeysAreRolledOver is docs/operation.md, with a second node that has
// the new key later.
func TestSAMLKeysAreRolledOver(t *testing.T) {
	g := startCommanded(t)
	e := started.current().engine
	var list keyList
	rows := func(purpose string) (out []string) {
		for _, k := range list.Keys {
			if k.Purpose == purpose {
				out = append(out, keyName(keyring.Purpose(k.Purpose), k.Version)+" "+k.State)
			}
		}
		return out
	}
	want := func(purpose string, rowsOf ...string) {
		t.Helper()
		if diff := cmp.Diff(rowsOf, rows(purpose)); diff != "" {
			t.Errorf("%s: %s", purpose, diff)
		}
	}
	for _, purpose := range []string{"saml-signing", "saml-decryption"} {
		g.refused(t, 1, "no usable key", "keys", "promote", purpose, "1")
		g.json(t, &list, "keys", "add", purpose)
		want(purpose, purpose+"/1 active")
		g.refused(t, 1, "cannot be retired", "keys", "retire", purpose, "1")
		g.json(t, &list, "keys", "add", purpose)
		want(purpose, purpose+"/1 active", purpose+"/2 accepted")
		ring := e.keys.Load().ring
		other := session.Node{Name: "web2", Ring: ring.Fingerprint(), Keys: slices.DeleteFunc(keysOf(ring), func(k string) bool { return k == purpose+"/2" })}
		if err := e.short.PublishNode(context.Background(), "b", other, time.Minute); err != nil {
			t.Fatal(err)
		}
		g.refused(t, 1, purpose+" key 2 is not in force on web2", "keys", "promote", purpose, "2")
		other.Keys = keysOf(ring)
		if err := e.short.PublishNode(context.Background(), "b", other, time.Minute); err != nil {
			t.Fatal(err)
		}
		g.json(t, &list, "keys", "promote", purpose, "2")
		want(purpose, purpose+"/1 accepted", purpose+"/2 active")
		g.json(t, &list, "keys", "retire", purpose, "1")
		want(purpose, purpose+"/1 retired", purpose+"/2 active")
	}
	ring := e.keys.Load().ring
	if len(ring.SAMLSigningKeys()) != 1 || len(ring.SAMLDecryptionKeys()) != 1 || ring.SAMLSigningKeys()[0].Version != 2 {
		t.Errorf("%v", ring.Versions())
	}
	if out := g.ok(t, "keys", "list"); !strings.Contains(out, "saml-signing") {
		t.Error(out)
	}
}
