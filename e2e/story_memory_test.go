package e2e

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// initialised is a line of GODEBUG=inittrace=1: a package, and what its
// initialisation allocated.
var initialised = regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, `)

// TestNoPackageBuildsLargeTablesAtTheStart: every command pays for what
// packages do when they are loaded. Caddy's own are not ours to mend.
func TestNoPackageBuildsLargeTablesAtTheStart(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(binary(t), "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	trace, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, trace)
	}
	out, err := exec.Command("go", "list", "-deps",
		"github.com/caddyserver/caddy/v2/cmd", "github.com/caddyserver/caddy/v2/modules/standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	caddys := strings.Fields(string(out))
	bytes := map[string]int{}
	for _, m := range initialised.FindAllStringSubmatch(string(trace), -1) {
		if !slices.Contains(caddys, m[1]) {
			bytes[m[1]], _ = strconv.Atoi(m[2])
		}
	}
	if bytes["github.com/sallyport-auth/sallyport/internal/web"] == 0 {
		t.Fatalf("nothing is known of our own packages:\n%s", trace)
	}
	// Three times what there was when this was written.
	most, all := map[string]int{"github.com/nyaruka/phonenumbers": 8 << 20}, 0
	for name, n := range bytes {
		if limit := max(most[name], 1<<20); n > limit {
			t.Errorf("%s allocates %d bytes, more than %d", name, n, limit)
		}
		all += n
	}
	if all > 12<<20 {
		t.Errorf("they allocate %d bytes together: %v", all, slices.Sorted(maps.Keys(bytes)))
	}
}

// heapHeld is what is still in use after a collection, in the text of a heap
// profile.
var heapHeld = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

// TestIdleGatewayHoldsLittle: Caddy alone holds 4 MiB, and we as much again.
// What the process takes is more than twice that, since garbage may grow to what
// is held, and the program's own code is added.
func TestIdleGatewayHoldsLittle(t *testing.T) {
	t.Parallel()
	g := startGateway(t, oneHost, withApp(startApp(t)))
	if page := newClient(t, g, "localhost").Open("/"); page.Heading() != "Sign in" {
		t.Fatalf("%d %q", page.Status, page.Heading())
	}
	adminPage(t, g, "/debug/pprof/heap?gc=1") // pools let go at the second collection
	m := heapHeld.FindStringSubmatch(adminPage(t, g, "/debug/pprof/heap?gc=1&debug=1"))
	if m == nil {
		t.Fatal("the profile does not say")
	}
	if held, _ := strconv.Atoi(m[1]); held > 11<<20 {
		t.Errorf("%d bytes are held", held)
	}
}

// TestMemoryOfHashesIsGivenBack: left alone, the runtime keeps the 64 MiB of
// each hash for four minutes.
func TestMemoryOfHashesIsGivenBack(t *testing.T) {
	t.Parallel()
	g := startGateway(t, oneHost, withApp(startApp(t)))
	before, _ := memory(t, g)
	newAccount(t, g, "ada")
	if _, peak := memory(t, g); peak < before+48 {
		t.Fatalf("%d MiB before a hash and %d with it: nothing to give back", before, peak)
	}
	now := 0
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		if now, _ = memory(t, g); now < before+24 {
			return
		}
	}
	t.Errorf("%d MiB before, %d a minute after", before, now)
}
