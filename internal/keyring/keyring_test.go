package keyring_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newRing(t *testing.T) *keyring.Ring {
	t.Helper()
	ring, err := keyring.New(start)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// rotate adds a key and makes it the active one.
func rotate(t *testing.T, ring *keyring.Ring, p keyring.Purpose) *keyring.Ring {
	t.Helper()
	ring, version, err := ring.Add(p, start)
	if err != nil {
		t.Fatal(err)
	}
	return must[*keyring.Ring](t)(ring.Promote(p, version))
}

// ordinary are the purposes of which every ring has a key.
var ordinary = []keyring.Purpose{keyring.Cookie, keyring.Seal, keyring.Pepper, keyring.Lookup, keyring.Admin, keyring.Assertion}

// SAML keys take long to make, and most installations need none.
func TestNewRingHasOneActiveKeyOfEachPurposeButSAML(t *testing.T) {
	t.Parallel()
	var want []keyring.Version
	for _, p := range ordinary {
		want = append(want, keyring.Version{Purpose: p, Version: 1, State: keyring.Active, Created: start})
	}
	if diff := cmp.Diff(want, newRing(t).Versions()); diff != "" {
		t.Error(diff)
	}
}

func TestRotationGoesAddPromoteRetire(t *testing.T) {
	t.Parallel()
	first := newRing(t)
	added, version, err := first.Add(keyring.Seal, start.Add(time.Hour))
	if err != nil || version != 2 {
		t.Fatalf("version %d, %v", version, err)
	}
	if first.ActiveVersion(keyring.Seal) != 1 || len(first.Versions()) != len(ordinary) {
		t.Error("Add changed the ring it was called on")
	}
	if added.ActiveVersion(keyring.Seal) != 1 {
		t.Error("a new key is active before it is promoted")
	}
	promoted := must[*keyring.Ring](t)(added.Promote(keyring.Seal, 2))
	if promoted.ActiveVersion(keyring.Seal) != 2 {
		t.Error("Promote did not")
	}
	if _, err := promoted.Retire(keyring.Seal, 2); !errors.Is(err, keyring.ErrActiveKey) {
		t.Errorf("the active key was retired: %v", err)
	}
	retired := must[*keyring.Ring](t)(promoted.Retire(keyring.Seal, 1))
	for name, err := range map[string]error{
		"retire twice":    second(retired.Retire(keyring.Seal, 1)),
		"promote retired": second(retired.Promote(keyring.Seal, 1)),
		"promote unknown": second(retired.Promote(keyring.Seal, 9)),
	} {
		if !errors.Is(err, keyring.ErrUnknownKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, version, _ := retired.Add(keyring.Seal, start); version != 3 {
		t.Errorf("version %d was given out, 1 and 2 are taken", version)
	}
	if _, _, err := first.Add("other", start); err == nil {
		t.Error("an unknown purpose was added")
	}
	if first.Fingerprint() != retired.Fingerprint() || first.Fingerprint() == newRing(t).Fingerprint() {
		t.Error("the fingerprint does not name the ring")
	}
}

func second[T any](_ T, err error) error { return err }

func TestFileRoundTripKeepsEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "keys")
	created := must[*keyring.Ring](t)(keyring.Create(path, start))
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info := must[fs.FileInfo](t)(os.Stat(name)); info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o", name, info.Mode().Perm())
		}
	}
	sealed := must[[]byte](t)(created.Seal("c", nil, []byte("value")))
	changed := rotate(t, created, keyring.Seal)
	if err := changed.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded := must[*keyring.Ring](t)(keyring.Load(path))
	if diff := cmp.Diff(changed.Versions(), loaded.Versions()); diff != "" {
		t.Error(diff)
	}
	if loaded.Fingerprint() != created.Fingerprint() {
		t.Error("the fingerprint changed")
	}
	if got := must[[]byte](t)(loaded.Open("c", nil, sealed)); string(got) != "value" {
		t.Errorf("opened %q", got)
	}
	entries := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path)))
	if len(entries) != 1 {
		t.Errorf("temporary files stayed: %v", entries)
	}
	if info := must[fs.FileInfo](t)(os.Stat(path)); info.Mode().Perm() != 0o600 {
		t.Errorf("Save left mode %04o", info.Mode().Perm())
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	first := must[*keyring.Ring](t)(keyring.Create(path, start))
	if _, err := keyring.Create(path, start); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Create: %v", err)
	}
	if must[*keyring.Ring](t)(keyring.Load(path)).Fingerprint() != first.Fingerprint() {
		t.Error("the ring was replaced")
	}
}

func TestOpenFileOrFolderIsRefused(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "ring")
	path := filepath.Join(folder, "keys")
	must[*keyring.Ring](t)(keyring.Create(path, start))
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o644, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := keyring.Load(path)
		if !errors.Is(err, keyring.ErrPermissions) || !strings.Contains(err.Error(), fmt.Sprintf("%04o", mode)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if err := errors.Join(os.Chmod(path, 0o400), os.Chmod(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Load(path); err != nil {
		t.Errorf("a read-only file in a readable folder: %v", err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Load(path); !errors.Is(err, keyring.ErrPermissions) {
		t.Errorf("a folder that anyone can write to: %v", err)
	}
	if _, err := keyring.Create(filepath.Join(folder, "new"), start); !errors.Is(err, keyring.ErrPermissions) {
		t.Errorf("a ring was made where anyone can write: %v", err)
	}
	if _, err := keyring.Load(filepath.Join(folder, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := keyring.Load(folder); err == nil {
		t.Error("a folder was loaded")
	}
}

// document is the file as an attacker or a careless hand may change it.
func document(t *testing.T) map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	must[*keyring.Ring](t)(keyring.Create(path, start))
	var out map[string]any
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(path)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnsafeRingIsRefused(t *testing.T) {
	t.Parallel()
	keyOf := func(d map[string]any, i int) map[string]any { return d["keys"].([]any)[i].(map[string]any) }
	short := base64.StdEncoding.EncodeToString([]byte("31 bytes are one byte too few.."))
	for name, change := range map[string]func(map[string]any){
		"short key":        func(d map[string]any) { keyOf(d, 0)["key"] = short },
		"five bytes":       func(d map[string]any) { keyOf(d, 0)["key"] = "c2hvcnQ=" },
		"no key":           func(d map[string]any) { delete(keyOf(d, 1), "key") },
		"short id":         func(d map[string]any) { d["id"] = short },
		"other format":     func(d map[string]any) { d["format"] = 2 },
		"unknown field":    func(d map[string]any) { d["more"] = 1 },
		"unknown purpose":  func(d map[string]any) { keyOf(d, 0)["purpose"] = "x" },
		"unknown state":    func(d map[string]any) { keyOf(d, 0)["state"] = "x" },
		"version zero":     func(d map[string]any) { keyOf(d, 0)["version"] = 0 },
		"version negative": func(d map[string]any) { keyOf(d, 0)["version"] = -1 },
		"version too big":  func(d map[string]any) { keyOf(d, 0)["version"] = 1 << 32 },
		"none active":      func(d map[string]any) { keyOf(d, 0)["state"] = "accepted" },
		"purpose missing":  func(d map[string]any) { d["keys"] = d["keys"].([]any)[1:] },
		"twice":            func(d map[string]any) { d["keys"] = append(d["keys"].([]any), d["keys"].([]any)[0]) },
		"assertion key is zero": func(d map[string]any) {
			keyOf(d, 5)["key"] = base64.StdEncoding.EncodeToString(make([]byte, 32))
		},
	} {
		d := document(t)
		change(d)
		if _, err := keyring.Parse(must[[]byte](t)(json.Marshal(d))); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := must[[]byte](t)(json.Marshal(document(t)))
	if _, err := keyring.Parse(good); err != nil {
		t.Fatalf("the unchanged document: %v", err)
	}
	if _, err := keyring.Parse(append(good, "{}"...)); err == nil {
		t.Error("text after the document: accepted")
	}
}

func TestRingNeverPrintsAKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	ring := must[*keyring.Ring](t)(keyring.Create(path, start))
	var content struct {
		ID   string
		Keys []struct{ Key string }
	}
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(path)), &content); err != nil {
		t.Fatal(err)
	}
	codec := must[*keyring.CookieCodec](t)(ring.Cookies("c", time.Hour))
	_, pepper := ring.ActivePepper("x")
	assertion := ring.AssertionKeys()
	var printed strings.Builder
	for _, value := range []any{ring, *ring, &ring, struct{ r *keyring.Ring }{ring}, struct{ c keyring.CookieCodec }{*codec}, struct{ r keyring.Ring }{*ring}, struct{ k []keyring.AssertionKey }{assertion}, struct{ R keyring.Ring }{*ring}, codec, *codec, pepper, assertion, &assertion[0], struct{ K any }{assertion}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
		encoded, _ := json.Marshal(value)
		printed.Write(encoded)
	}
	for _, k := range append(content.Keys, struct{ Key string }{content.ID}) {
		raw := must[[]byte](t)(base64.StdEncoding.DecodeString(k.Key))
		for _, form := range []string{k.Key, base64.RawURLEncoding.EncodeToString(raw), fmt.Sprintf("%x", raw), fmt.Sprint(raw), strings.Trim(fmt.Sprint(raw), "[]"), string(raw)} {
			if strings.Contains(printed.String(), form) {
				t.Errorf("a key was printed as %q", form)
			}
		}
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add([]byte(`{"format":1,"id":"AAAA","keys":[{"purpose":"seal","version":1,"state":"active","created":"2026-03-01T12:00:00Z","key":"AAAA"}]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		ring, err := keyring.Parse(data)
		if err != nil {
			return
		}
		for _, p := range keyring.Purposes() {
			ring.ActiveVersion(p)
		}
	})
}

// A ring that could not be read again never takes the place of one that can.
func TestRingThatIsTooLargeIsNotSaved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "own", "keys")
	now := time.Now()
	ring, err := keyring.Create(path, now)
	if err != nil {
		t.Fatal(err)
	}
	larger := ring
	for range 10_000 { // retired keys stay in the file
		if larger, _, err = larger.Add(keyring.Pepper, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := larger.Save(path); err == nil {
		t.Error("it was saved")
	}
	if err := larger.SaveNew(path + "2"); err == nil {
		t.Error("it was saved anew")
	}
	got, err := keyring.Load(path)
	if err != nil || got.Fingerprint() != ring.Fingerprint() {
		t.Errorf("the ring from before is gone: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%d files are left (%v)", len(left), err)
	}
}
