package login_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// queue enters the gate from networks one after the other and tells the order
// in which they had their turn.
func queue(t *testing.T, g *login.HashGate, known bool, networks ...string) (turns func() []string) {
	t.Helper()
	var mu sync.Mutex
	var order []string
	var all sync.WaitGroup
	for _, n := range networks {
		all.Go(func() {
			leave, err := g.Enter(context.Background(), n, known)
			if err != nil {
				t.Errorf("%s: %v", n, err)
				return
			}
			mu.Lock()
			order = append(order, n)
			mu.Unlock()
			leave()
			leave() // twice is once
		})
		time.Sleep(5 * time.Millisecond) // until it waits
	}
	return func() []string {
		all.Wait()
		mu.Lock()
		defer mu.Unlock()
		return order
	}
}

func TestNetworksTakeTurns(t *testing.T) {
	t.Parallel()
	g := login.NewHashGate(1)
	leave, err := g.Enter(context.Background(), "first", false)
	if err != nil {
		t.Fatal(err)
	}
	turns := queue(t, g, false, "flood", "flood", "flood", "flood", "flood", "other")
	leave()
	if order := turns(); slices.Index(order, "other") != 1 {
		t.Errorf("order %v: the flood went first", order)
	}
}

func TestKnownBrowsersGoFirst(t *testing.T) {
	t.Parallel()
	g := login.NewHashGate(1)
	leave, err := g.Enter(context.Background(), "first", false)
	if err != nil {
		t.Fatal(err)
	}
	flood := queue(t, g, false, "a", "b", "c")
	owner := queue(t, g, true, "owner")
	leave()
	owner()
	if got := flood(); len(got) != 3 {
		t.Errorf("%v", got)
	}
}

func TestWaitingEndsAfterASecondAndLeaksNoTurn(t *testing.T) {
	t.Parallel()
	g := login.NewHashGate(1)
	leave, err := g.Enter(context.Background(), "holder", false)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	together(5, func(i int) {
		if _, err := g.Enter(context.Background(), string(rune('a'+i)), i%2 == 0); !errors.Is(err, login.ErrBusy) {
			t.Errorf("error %v, want ErrBusy", err)
		}
	})
	if waited := time.Since(began); waited < login.QueueTime || waited > 10*login.QueueTime {
		t.Errorf("waited %s", waited)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := g.Enter(gone, "x", false); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	leave()
	again, err := g.Enter(context.Background(), "y", false)
	if err != nil {
		t.Fatalf("a turn was lost: %v", err)
	}
	again()
}

// TestHeavyHashesRunOneAtATime: four imported hashes of 256 MiB would take as
// much as sixteen of our own.
func TestHeavyHashesRunOneAtATime(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	heavy := func(_ *authtest.Person, a *account.Account) {
		costs := authtest.Cheap
		costs.MemoryKiB *= 2
		hash, err := factor.HashPassword(secret.New(newPassword), costs)
		s.Must(err)
		a.PasswordHash = secret.New(hash)
	}
	s.Add("ann", heavy)
	s.Add("ben")
	leave, err := s.Machine.Gate.EnterHeavy(ctx, "holder", false)
	if err != nil {
		t.Fatal(err)
	}
	f, err := password(s, s.Client(), "ben", secret.New("correct horse ben"))
	passed(t, f, err)
	_, err = password(s, s.Client(), "ann", secret.New(newPassword))
	wantErr(t, err, login.ErrBusy)
	leave()
	f, err = password(s, s.Client(), "ann", secret.New(newPassword))
	passed(t, f, err)
}

func TestGateNeverLetsMoreThrough(t *testing.T) {
	t.Parallel()
	g := login.NewHashGate(3)
	var mu sync.Mutex
	var in, most int
	together(150, func(i int) {
		c, cancel := context.WithTimeout(context.Background(), time.Duration(i%7+1)*5*time.Millisecond)
		defer cancel()
		leave, err := g.Enter(c, string(rune('a'+i%5)), i%3 == 0)
		if err != nil {
			return
		}
		mu.Lock()
		in++
		most = max(most, in)
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		in--
		mu.Unlock()
		leave()
	})
	if most > 3 {
		t.Errorf("%d at once", most)
	}
	for range 3 {
		if _, err := g.Enter(context.Background(), "z", false); err != nil {
			t.Fatalf("a turn was lost: %v", err)
		}
	}
}

// TestQuietIsToldOnceAfterTheLastHash, and never while one runs.
func TestQuietIsToldOnceAfterTheLastHash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, told := login.NewHashGate(2), 0
		g.Follow(func(atOnce int) {
			if atOnce == 0 {
				told++
			}
		})
		after := func(wait time.Duration, want int, when string) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if told != want {
				t.Fatalf("told %d times %s, want %d", told, when, want)
			}
		}
		enter := func() func() {
			leave, err := g.Enter(t.Context(), "x", false)
			if err != nil {
				t.Fatal(err)
			}
			return leave
		}
		after(time.Hour, 0, "before the first hash")
		first, second := enter(), enter()
		first()
		after(time.Hour, 0, "while the second runs")
		second()
		after(login.QuietTime-1, 0, "too early")
		third := enter()
		after(time.Hour, 0, "while the third runs")
		waited := make(chan func())
		fourth := enter()
		go func() { waited <- enter() }() // its turn is handed over, no slot is free between
		synctest.Wait()
		fourth()
		fifth := <-waited
		third()
		after(time.Hour, 0, "while the one that waited runs")
		fifth()
		after(login.QuietTime, 1, "after the last")
		after(time.Hour, 1, "in quiet")
		enter()()
		after(login.QuietTime, 2, "after another")
	})
}

// TestMoreHashesAtOnceAreToldBeforeTheyBegin: whoever follows the gate makes room
// for them, and does so once for as many.
func TestMoreHashesAtOnceAreToldBeforeTheyBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := login.NewHashGate(3)
		var told []int
		g.Follow(func(atOnce int) { told = append(told, atOnce) })
		enter := func(want ...int) func() {
			t.Helper()
			leave, err := g.Enter(t.Context(), "x", false)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(told, want) {
				t.Fatalf("told %v, want %v", told, want)
			}
			return leave
		}
		first := enter(1)
		second := enter(1, 2)
		first()
		first = enter(1, 2) // as many as there have been
		third := enter(1, 2, 3)
		first()
		second()
		third()
		enter(1, 2, 3)()
		time.Sleep(login.QuietTime)
		synctest.Wait()
		enter(1, 2, 3, 0, 1)()
	})
}

func TestOneNetworkFillsOnlyItsOwnQueue(t *testing.T) {
	t.Parallel()
	g := login.NewHashGate(1)
	if _, err := g.Enter(context.Background(), "holder", false); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var early, late sync.Map
	together(100, func(i int) {
		_, err := g.Enter(context.Background(), "flood", false)
		if errors.Is(err, login.ErrBusy) && time.Since(began) < login.QueueTime {
			early.Store(i, true)
		} else {
			late.Store(i, true)
		}
	})
	refused := 0
	early.Range(func(any, any) bool { refused++; return true })
	if refused == 0 {
		t.Error("one network's queue has no bound")
	}
}
