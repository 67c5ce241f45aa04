package assertion_test

import (
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/keyring"
)

func text(t testing.TB, k *assertion.Kept, keys *assertion.Keys, of assertion.Identity, now time.Time) string {
	t.Helper()
	got, err := k.Text(keys, &of, now)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAssertionIsRenewedWhenTwoMinutesRemain(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, newRing(t))
	for name, c := range map[string]struct {
		ends    time.Duration // of the session
		at      time.Duration
		renewed bool
	}{
		"at once":                      {time.Hour, 0, false},
		"a moment before":              {time.Hour, 3*time.Minute - 701*time.Millisecond, false},
		"with two minutes":             {time.Hour, 3*time.Minute - 700*time.Millisecond, true},
		"long after":                   {time.Hour, 20 * time.Minute, true},
		"the clock was put back":       {time.Hour, -time.Second, true},
		"as long as there can be":      {4 * time.Minute, 4*time.Minute - time.Nanosecond, false},
		"five minutes are a session's": {5 * time.Minute, 3*time.Minute - 701*time.Millisecond, false},
	} {
		var k assertion.Kept
		of := alice()
		of.Ends = noon.Add(c.ends)
		first := text(t, &k, keys, of, noon)
		if second := text(t, &k, keys, of, noon.Add(c.at)); (second != first) != c.renewed {
			t.Errorf("%s: renewed %v, want %v", name, second != first, c.renewed)
		} else if _, payload := open(t, keys, second); payload["exp"].(float64) > float64(of.Ends.Unix()) {
			t.Errorf("%s: outlives its session", name)
		}
	}
}

// What is kept is never sent for anybody or anything else: every field counts.
func TestAssertionIsNotKeptBeyondAChange(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, newRing(t))
	for i := range reflect.TypeFor[assertion.Identity]().NumField() {
		var k, next assertion.Kept
		first := text(t, &k, keys, alice(), noon)
		next.CarryOver(&k)
		if got := text(t, &next, keys, alice(), noon.Add(time.Second)); got != first {
			t.Fatal("the same, read anew, is signed anew")
		}
		other := alice()
		switch f := reflect.ValueOf(&other).Elem().Field(i).Addr().Interface().(type) {
		case *string:
			*f += "x"
		case *[]string:
			*f = append([]string{"x"}, (*f)[1:]...)
		case *time.Time:
			*f = f.Add(-time.Second)
		}
		name := reflect.TypeFor[assertion.Identity]().Field(i).Name
		if got := text(t, &next, keys, other, noon.Add(time.Second)); got == first {
			t.Errorf("%s changed, the assertion did not", name)
		}
	}
}

func TestAssertionIsSignedAnewByThePromotedKey(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	var k assertion.Kept
	first := text(t, &k, keysOf(t, ring), alice(), noon)
	ring, version, err := ring.Add(keyring.Assertion, noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, &k, keysOf(t, ring), alice(), noon); got != first {
		t.Error("a key that was merely added makes a new assertion")
	}
	if ring, err = ring.Promote(keyring.Assertion, version); err != nil {
		t.Fatal(err)
	}
	if got := text(t, &k, keysOf(t, ring), alice(), noon); got == first {
		t.Error("the former key's assertion is still sent")
	}
}

// counted tells how often a key signs.
type counted struct {
	keyring.AssertionKey
	signatures *atomic.Int64
}

func (c counted) SignES256(message []byte) ([]byte, error) {
	c.signatures.Add(1)
	return c.AssertionKey.SignES256(message)
}

func TestManyAtOnceNeedOneSignature(t *testing.T) {
	t.Parallel()
	var signatures atomic.Int64
	keys, err := assertion.NewKeys([]counted{{newRing(t).AssertionKeys()[0], &signatures}})
	if err != nil {
		t.Fatal(err)
	}
	var k assertion.Kept
	for round, at := range []time.Duration{0, 0, 3 * time.Minute, time.Hour - time.Second} {
		var got sync.Map
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				of := alice()
				text, err := k.Text(keys, &of, noon.Add(at))
				if err != nil {
					t.Error(err)
				}
				got.Store(text, true)
			})
		}
		all.Wait()
		n := 0
		got.Range(func(any, any) bool { n++; return true })
		if want := []int64{1, 1, 2, 3}[round]; n != 1 || signatures.Load() != want {
			t.Errorf("round %d: %d texts, %d signatures by now, want %d", round, n, signatures.Load(), want)
		}
	}
}

// An assertion is for minutes, and what it was made of for seconds: that is not
// held on to.
func TestIdentityThatWasReadAnewIsLetGo(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, newRing(t))
	var k, next assertion.Kept
	old := alice()
	gone := weak.Make(&old)
	if _, err := k.Text(keys, &old, noon); err != nil {
		t.Fatal(err)
	}
	next.CarryOver(&k)
	k = assertion.Kept{}
	of := alice()
	if _, err := next.Text(keys, &of, noon); err != nil {
		t.Fatal(err)
	}
	for range 10 { // some may be scanned without need
		if runtime.GC(); gone.Value() == nil {
			runtime.KeepAlive(&next)
			return
		}
	}
	t.Error("it is still there")
}

func BenchmarkKept(b *testing.B) {
	keys := keysOf(b, newRing(b))
	var k, next assertion.Kept
	text(b, &k, keys, alice(), noon)
	next.CarryOver(&k)
	of := alice() // with slices of its own, as after reading an entry anew
	b.ReportAllocs()
	for b.Loop() {
		if _, err := next.Text(keys, &of, noon); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	keys := keysOf(b, newRing(b))
	of := alice()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := keys.Sign(of, noon); err != nil {
			b.Fatal(err)
		}
	}
}
