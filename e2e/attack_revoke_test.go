package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSignOutReachesEveryNode: T7, T102. The bound of DESIGN is 50 ms in a
// healthy system; what is asserted is a second, so that a busy machine does not
// fail it, and what was measured is printed.
func TestSignOutReachesEveryNode(t *testing.T) {
	t.Parallel()
	engines(t, "", func(t *testing.T, c cluster) {
		password := newAccount(t, c.nodes[0], "bob")
		const runs = 30
		var took []time.Duration
		for range runs {
			a := newClient(t, c.nodes[0], "easy.test")
			if end := a.SignIn("/x", "bob", password, ""); end.Text("user") != "bob" {
				t.Fatalf("not signed in: %d %q", end.Status, end.Heading())
			}
			b := newClient(t, c.nodes[1], "easy.test")
			captured := strings.TrimSuffix(a.cookieLine("easy.test"), "\r\n")
			for range 2 { // from the stores, then from memory
				if at := b.Get("/x", captured); at.Text("user") != "bob" {
					t.Fatalf("the session is not known at the other node: %d", at.Status)
				}
			}
			page := a.Open("/sallyport/sign-out")
			a.Submit(page, "/sign-out", nil)
			began := time.Now()
			for b.Get("/x", captured).Status == http.StatusOK {
				if time.Since(began) > 2*time.Second {
					t.Fatal("still signed in at the other node two seconds after signing out")
				}
			}
			took = append(took, time.Since(began))
			if first := a.Get("/x", captured); first.Status != http.StatusFound {
				t.Errorf("a captured cookie after signing out, at the first node: %d", first.Status)
			}
		}
		slices.Sort(took)
		t.Logf("refused at the other node after %v (median), %v (p99 of %d), %v (longest); each with the asking itself",
			took[runs/2], took[runs*99/100], runs, took[runs-1])
		if took[runs-1] > time.Second {
			t.Errorf("signing out took %v to reach the other node", took[runs-1])
		}
	})
}
