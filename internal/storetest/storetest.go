// Package storetest holds each store contract as a test suite that every
// engine runs: SQLite, PostgreSQL and Redis promise the same things. It knows
// the contracts and their values and no engine.
//
// A suite takes open, which returns a new, empty store and closes it when the
// test ends. Where a contract passes the time, the suite passes times at and
// after the present; where the engine's own clock decides, it waits for it.
package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// patience is how long a suite waits for what happens by itself: an expiry
// on the engine's own clock, a message to another node.
const patience = 10 * time.Second

// newID returns an id as the product makes them: 26 characters of lower-case
// base32.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

func newHash() [32]byte { return sha256.Sum256([]byte(newID())) }

func newBrowser() login.BrowserHash {
	h := newHash()
	return login.BrowserHash(hex.EncodeToString(h[:]))
}

func newAccountID() account.ID { return account.ID(newID()) }

func newSessionID() session.ID { return session.ID(newID()) }

// start is the present in whole seconds: no engine keeps less than
// milliseconds, so what comes back can be compared exactly.
func start() time.Time { return time.Now().UTC().Truncate(time.Second) }

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func wantEqual[T any](t testing.TB, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

// eventually waits until ok, at most patience.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// parallel runs n calls of f at the same moment and returns their errors.
func parallel(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = f(i)
		})
	}
	done.Wait()
	return errs
}

// fill sets every field of v, however deep, to something that is not zero.
func fill(v reflect.Value, at time.Time) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), at)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), at)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), at)
		fill(v.Index(1), at)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), at)
		}
	case reflect.String:
		v.SetString("ü \"<&>\u2028 %2F" + newID())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(200)
	default:
		panic(fmt.Sprintf("storetest: a field of kind %s", v.Kind()))
	}
}

// wantOne wants one success, of the index won, among errors that are otherwise
// other.
func wantOne(t *testing.T, other error, errs []error) (won int) {
	t.Helper()
	won = -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			t.Fatalf("%d and %d both succeeded", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, other) || errors.Is(err, session.ErrUnavailable):
			t.Fatal(err)
		}
	}
	if won < 0 {
		t.Fatal("none succeeded")
	}
	return won
}
