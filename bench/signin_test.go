package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// A lobby is a gateway, with accounts in SQLite and sessions in Redis, and
// people who can sign in at it.
type lobby struct {
	node     *node
	lines    *lines
	people   []person
	next     atomic.Int64
	signedIn string // the cookie of somebody who is
	busy     atomic.Int64
	// atOnce is how many sign in at once: so many that there is always a
	// password to hash, and so few that none waits for longer than its second.
	atOnce int
}

// startLobby starts it with more options. Each of the people has an
// authenticator, and can sign in once in half a minute.
func startLobby(t *testing.T, people int, options string) *lobby {
	t.Helper()
	dir, server := shortDir(t), testtools.Redis(t)
	all := population{accounts: people + 1, sessions: people + 1, hosts: []string{appHost}, browsers: people + 1}.seed(t, dir, newRedisWriter(t, server.Addr))
	l := &lobby{signedIn: all.browsers[people].cookies[appHost], people: enrol(t, dir, all.accounts, 0, people)}
	l.node = startNode(t, dir, fmt.Sprintf(nodeFile, "layout identifier_first\n\t\t"+options), "REDIS="+server.Addr)
	l.lines = &lines{addr: l.node.addr}
	t.Cleanup(l.lines.close)
	return l
}

// enrol gives n seeded accounts an authenticator and backup codes, before the
// gateway runs.
func enrol(t *testing.T, dir string, accounts []account.ID, from, n int) (people []person) {
	t.Helper()
	ring, err := keyring.Load(filepath.Join(ownDir(dir), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	store := sqlstore.OpenSQLite(filepath.Join(ownDir(dir), "accounts.db"))
	defer store.Close()
	now := time.Now()
	for i := from; i < from+n; i++ {
		id := accounts[i]
		p := person{nameOf(i), password, factor.NewTOTPSecret()}
		sealed, err := ring.Seal("authenticator secret", []byte(id), []byte(p.authenticator.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		app := account.Factor{ID: login.NewID(), Account: id, Kind: account.KindApp, Label: "Phone", Created: now, Sealed: sealed}
		codes := account.Factor{ID: login.NewID(), Account: id, Kind: account.KindBackup, Created: now, Salt: factor.NewBackupSalt(), Pepper: ring.ActiveVersion(keyring.Pepper)}
		var hashes [][32]byte
		for range 10 {
			hashes = append(hashes, [32]byte(secret.NewKey(32).Reveal())) // of codes that nobody has
		}
		err = store.AddFirstFactor(t.Context(), app, now)
		if err = errors.Join(err, store.ReplaceBackupCodes(t.Context(), codes, hashes, now)); err != nil {
			t.Fatal(err)
		}
		people = append(people, p)
	}
	// An authenticator ends an account's sessions. What the gateway would do
	// about that from its start on, for these people, is no part of what is
	// measured: their sessions open nothing any more.
	ended, err := store.Revocations(t.Context(), 2*n)
	var ids []int64
	for _, e := range ended {
		ids = append(ids, e.ID)
	}
	if err = errors.Join(err, store.Revoked(t.Context(), ids)); err != nil {
		t.Fatal(err)
	}
	return people
}

// signIn is one whole sign-in of the next person, in a new browser at an
// address of its own. One whose password found no turn tries again.
func (l *lobby) signIn() (*walker, error) {
	who := l.people[int(l.next.Add(1))%len(l.people)]
	for {
		w := newWalker(l.lines, appHost, someNetwork())
		err := w.signIn(who)
		if !errors.Is(err, errBusy) {
			return w, err
		}
		l.busy.Add(1)
	}
}

// storm signs people in, atOnce, until ctx ends, and returns when each had done
// so.
func (l *lobby) storm(ctx context.Context, t *testing.T) (done []time.Time) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range l.atOnce {
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := l.signIn(); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				done = append(done, time.Now())
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.SortFunc(done, time.Time.Compare)
	return done
}

// A stretch is what was done for a while: sign-ins, or hashes.
type stretch struct {
	rate float64       // a second
	cpu  time.Duration // of each, of the process that does it
}

// signIns measures sign-ins. What begins and what ends with others missing is
// left out.
func (l *lobby) signIns(t *testing.T, lasting time.Duration) stretch {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), lasting)
	defer stop()
	pid := l.node.process.Cmd.Process.Pid
	before, err := cpuOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	done := l.storm(ctx, t)
	after, err := cpuOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	n := l.atOnce
	if len(done) < 3*n {
		t.Fatalf("%d sign-ins in %v", len(done), lasting)
	}
	steady := done[n-1 : len(done)-n+1]
	return stretch{
		float64(len(steady)-1) / steady[len(steady)-1].Sub(steady[0]).Seconds(),
		(after - before) / time.Duration(len(done)),
	}
}

// verified is what a sign-in does with a password, which has this hash.
func verified(t *testing.T, hash string) func() {
	return func() {
		if right, _, err := factor.VerifyPassword(hash, secret.New(password), passwordParams); !right || err != nil {
			t.Errorf("the password is not right: %v", err)
		}
	}
}

// byLibrary is the same work as the library does it, in memory of its own each
// time.
func byLibrary() {
	p := passwordParams
	argon2.IDKey([]byte(password), []byte("sixteen bytes of"), p.Passes, p.MemoryKiB, p.Threads, 32)
}

// hashes measures passwords alone: n at once, in this process.
func hashes(one func(), n int, lasting time.Duration) stretch {
	before, began := ownCPU(), time.Now()
	var done atomic.Int64
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for time.Since(began) < lasting {
				one()
				done.Add(1)
			}
		})
	}
	all.Wait()
	count := done.Load()
	return stretch{float64(count) / time.Since(began).Seconds(), (ownCPU() - before) / time.Duration(count)}
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for no process of one's own
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSignIn measures what signing in costs beside the hashing of the password.
func TestSignIn(t *testing.T) {
	s := newSection(t, "signin", "what", "hashed at once", "sign-ins a second", "hashes a second", "the library's hashes a second", "CPU of a sign-in ms", "CPU of a hash ms", "p99 calm ms", "p99 beside another program ms", "p99 in the storm ms")
	hash, err := factor.HashPassword(secret.New(password), passwordParams)
	if err != nil {
		t.Fatal(err)
	}
	s.say("A whole sign-in: the app's page, the pages and forms of identifier, password and authenticator's code, and back to the app; eight requests. Accounts in SQLite, sessions in Redis, every limit and every cost as it is by default; each browser is new and has an address of its own. Everything shares the machine's two cores: the gateway, Redis, and the browsers. The library is golang.org/x/crypto/argon2; Sallyport's hashing takes the same steps in memory that it uses again.")
	parallels := []int{0}
	if *full {
		parallels = append(parallels, 2)
	}
	var table [][]string
	var shares []float64
	var l *lobby
	for _, parallel := range slices.Backward(parallels) {
		options, turns := "", 1
		if parallel > 0 {
			options, turns = fmt.Sprintf("password {\n\t\t\tparallel %d\n\t\t}", parallel), parallel
		}
		l = startLobby(t, rounds(400, 150), options)
		row, share := l.pairs(t, s, verified(t, hash), turns)
		table, shares = append(table, row), append(shares, share)
	}
	s.table([]string{
		"hashed at once", "sign-ins a second", "the library alone, a second", "share",
		"Sallyport's hashing alone, a second", "share", "CPU beside the hash, of a sign-in",
	}, table)
	peak, bound := l.crowd(t, s), machineMemory(t)/4
	times := l.calmAndStorm(t, s)
	for i, share := range shares {
		s.claim(share >= 0.95, "signing in is limited by argon2id alone: with %s hashed at once %.3f of the library's rate (goal 0.95)", table[i][0], share)
	}
	s.claim(peak < bound, "memory with %d sign-ins at once stays below the bound, a quarter of the machine's: %d of %d MiB", crowd, peak>>20, bound>>20)
	s.claim(times <= 2, "the p99 of signed-in requests in a storm of sign-ins is at most twice that of calm: %.1f times", times)
}

// pairs measures sign-ins and hashes in turn, and gives the share of the
// library's rate that signing in reaches.
func (l *lobby) pairs(t *testing.T, s *section, verify func(), turns int) (row []string, share float64) {
	t.Helper()
	if _, err := l.signIn(); err != nil {
		t.Fatal(err)
	}
	lasting := 8 * time.Second
	if *quick {
		lasting = 3 * time.Second
	}
	var in, alone, library, beside []float64
	for range rounds(9, 2) {
		a, lib := hashes(verify, turns, lasting/3), hashes(byLibrary, turns, lasting/3)
		if l.atOnce == 0 {
			l.atOnce = turns * min(max(int(0.8*a.rate/float64(turns)), 3), 8)
		}
		b := l.signIns(t, lasting)
		in, alone, library = append(in, b.rate), append(alone, a.rate), append(library, lib.rate)
		beside = append(beside, ms(b.cpu-a.cpu))
		s.row("rate", turns, b.rate, a.rate, lib.rate, ms(b.cpu), ms(a.cpu), "", "", "")
	}
	shares := spreadOf(ratios(in, library))
	return []string{
		strconv.Itoa(turns), spreadOf(in).cell("%.2f"), spreadOf(library).cell("%.2f"), shares.cell("%.3f"),
		spreadOf(alone).cell("%.2f"), spreadOf(ratios(in, alone)).cell("%.3f"), spreadOf(beside).cell("%.1f ms"),
	}, shares.median
}

// crowd is how many people give their passwords at one moment.
const crowd = 200

// crowd lets them, and returns the gateway's peak of memory in bytes.
func (l *lobby) crowd(t *testing.T, s *section) (peak int64) {
	t.Helper()
	pid := l.node.process.Cmd.Process.Pid
	before := resident(t, pid)
	forgetPeak(t, pid)
	var in, busy atomic.Int64
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() {
			_, err := newWalker(l.lines, appHost, someNetwork()).givePassword(l.people[i%len(l.people)])
			switch {
			case err == nil:
				in.Add(1)
			case errors.Is(err, errBusy):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	peak = peakResident(t, pid)
	s.say("Of %d people who give their passwords at one moment, %d got the next page and %d a 503, because a turn did not come within a second. The gateway's resident memory was %d MiB before and %d MiB at its peak; one hash takes %d MiB.",
		crowd, in.Load(), busy.Load(), before>>20, peak>>20, passwordParams.MemoryKiB>>10)
	return peak
}

// forgetPeak makes the kernel measure the peak of a process's memory anew
// (Linux, proc(5): clear_refs).
func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// peakResident is the most resident memory since forgetPeak, in bytes.
func peakResident(t *testing.T, pid int) int64 {
	t.Helper()
	return kilobytes(t, fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
}

func machineMemory(t *testing.T) int64 {
	t.Helper()
	return kilobytes(t, "/proc/meminfo", "MemTotal:")
}

// kilobytes reads a line of a file of the kernel, and gives bytes.
func kilobytes(t *testing.T, file, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), name)
	var kb int64
	if _, err := fmt.Sscanf(rest, "%d kB", &kb); err != nil {
		t.Fatalf("%s of %s: %v", name, file, err)
	}
	return kb << 10
}

// calmAndStorm measures requests of somebody who is signed in, 200 a second,
// without and with people who sign in, and returns how many times longer the
// p99 is then. That another program computes shows what is the machine's part.
func (l *lobby) calmAndStorm(t *testing.T, s *section) (times float64) {
	t.Helper()
	lasting := 10 * time.Second
	if *quick {
		lasting = 1500 * time.Millisecond
	}
	var calm, beside, stormy []float64
	for range rounds(7, 2) {
		still := quantile(l.requests(t, lasting), 0.99)
		other := testtools.Start(t, exec.Command("sha256sum", "/dev/zero"))
		near := quantile(l.requests(t, lasting), 0.99)
		other.Kill()
		ctx, stop := context.WithCancel(t.Context())
		var storm sync.WaitGroup
		storm.Go(func() { l.storm(ctx, t) })
		time.Sleep(time.Second)
		loud := quantile(l.requests(t, lasting), 0.99)
		stop()
		storm.Wait()
		calm, beside, stormy = append(calm, still), append(beside, near), append(stormy, loud)
		s.row("storm", 1, "", "", "", "", "", still, near, loud)
	}
	s.table([]string{"requests of somebody signed in, 200 a second", "p99"}, [][]string{
		{"calm", spreadOf(calm).cell("%.2f ms")},
		{"while another program keeps one core busy", spreadOf(beside).cell("%.2f ms")},
		{"while people sign in, as fast as passwords are hashed", spreadOf(stormy).cell("%.2f ms")},
	})
	return spreadOf(ratios(stormy, calm)).median
}

// requests sends 200 a second whether or not answers have come, and returns
// how long each took, in milliseconds.
func (l *lobby) requests(t *testing.T, lasting time.Duration) (took []float64) {
	t.Helper()
	const each = 5 * time.Millisecond
	due := make(chan time.Time, 1000)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 16 {
		a := newAsker(t, l.node.addr, guarded(appHost, l.signedIn))
		defer a.close()
		all.Go(func() {
			for began := range due {
				status, err := a.ask()
				if err != nil || status != http.StatusOK {
					t.Errorf("a request of somebody signed in: %d, %v", status, err)
					return
				}
				mu.Lock()
				took = append(took, ms(time.Since(began)))
				mu.Unlock()
			}
		})
	}
	tick := time.NewTicker(each)
	for range lasting / each {
		<-tick.C
		due <- time.Now()
	}
	tick.Stop()
	close(due)
	all.Wait()
	return took
}
