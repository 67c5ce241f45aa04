package e2e

import (
	"crypto/rand"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// newAccount adds an account to a running gateway and returns its password.
// more is added to the command: "--group", "ops".
func newAccount(t testing.TB, g *gateway, name string, more ...string) (password string) {
	t.Helper()
	password = "correct-" + rand.Text()[:12] + "-horse"
	args := append([]string{"account", "add", name, "--email", name + "@example.com", "--name", "Person " + name, "--password-stdin"}, more...)
	if _, err := g.Run(password+"\n", args...); err != nil {
		t.Fatalf("sallyport %s: %v", strings.Join(args, " "), err)
	}
	return password
}

const step = 30 * time.Second

// oathCode is what an authenticator app shows now for a setup key.
func oathCode(t testing.TB, key string) string {
	t.Helper()
	return oathCodeAt(t, key, time.Now())
}

// oathCodeAt is what an authenticator app shows at another time.
func oathCodeAt(t testing.TB, key string, at time.Time) string {
	t.Helper()
	out, err := exec.Command(testtools.Need(t, "oathtool"), "--totp", "-b",
		"--now", at.UTC().Format("2006-01-02 15:04:05 UTC"), strings.Join(strings.Fields(key), "")).CombinedOutput()
	if err != nil {
		t.Fatalf("oathtool: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// spent is the last step whose code nextCode gave, of each key.
var spent struct {
	sync.Mutex
	steps map[string]int64
}

// nextCode is a code for the key that the server accepts and that this
// function has not given before. A step is good once, and only after those
// spent already; the step before and the one after the present one are
// accepted too. So three codes are to be had at once, and the fourth only
// when the clock has moved on: then nextCode waits.
func nextCode(t testing.TB, key string) string {
	t.Helper()
	key = strings.ReplaceAll(key, " ", "")
	spent.Lock()
	defer spent.Unlock()
	if spent.steps == nil {
		spent.steps = map[string]int64{}
	}
	const late = 5 * time.Second // this close to its end the step before is not trusted
	for {
		now := time.Now()
		present := now.Unix() / int64(step/time.Second)
		first := present - 1
		if left := step - now.Sub(time.Unix(present*30, 0)); left < late {
			first = present
		}
		next := max(first, spent.steps[key]+1)
		if next <= present+1 {
			spent.steps[key] = next
			return oathCodeAt(t, key, time.Unix(next*30, 0))
		}
		wait := time.Until(time.Unix((present+1)*30, 0))
		t.Logf("waiting %v for the next code", wait.Round(time.Second))
		time.Sleep(wait)
	}
}

// wrongCode is a code that is right at no step near now.
func wrongCode(t testing.TB, key string) string {
	t.Helper()
	near := map[string]bool{}
	for i := -4; i <= 4; i++ {
		near[oathCodeAt(t, key, time.Now().Add(time.Duration(i)*step))] = true
	}
	for i := range 100 {
		if code := fmt.Sprintf("%06d", 123456+i); !near[code] {
			return code
		}
	}
	t.Fatal("no wrong code")
	return ""
}
