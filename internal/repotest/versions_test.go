package repotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/version"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/semver"
)

// goFloor: encoding/xml recursion (CVE-2026-56859), HTTP/2 header timeout
// (CVE-2026-56853) and the bypass of http.CrossOriginProtection
// (CVE-2025-47910) are fixed from here on.
const goFloor = "go1.26.6"

// floors are the oldest versions without a known hole that reaches us. A
// library that is not in the build is not asked for.
var floors = []struct{ path, version, why string }{
	{"github.com/caddyserver/caddy/v2", "v2.11.9", "identity headers of the client survive: CVE-2026-30851, CVE-2026-52845"},
	{"github.com/crewjam/saml", "v0.5.1", "signature and session bypasses up to CVE-2023-45683"},
	{"github.com/russellhaering/goxmldsig", "v1.6.1", "signature bypass CVE-2026-33487; crewjam/saml alone would bring v1.4.0"},
	{"github.com/beevik/etree", "v1.7.0", "no limit of depth"},
	{"github.com/pquerna/otp", "v1.5.0", "a part of the secret may be zero after a short read"},
	{"github.com/wneessen/go-mail", "v0.7.1", "another recipient by an address in quotes: CVE-2025-59937"},
	{"github.com/redis/go-redis/v9", "v9.7.3", "answers to the wrong command: CVE-2025-29923"},
}

// A goModule is what `go list` says of one module: Replace counts, because a
// replaced module keeps its old version on paper.
type goModule struct {
	Path, Version string
	Replace       *goModule
}

func TestGoIsNotTooOld(t *testing.T) {
	t.Parallel()
	if version.Compare(runtime.Version(), goFloor) < 0 {
		t.Errorf("these tests run with %s; use %s or newer, which mends holes that reach a gateway", runtime.Version(), goFloor)
	}
}

func TestLibrariesAreNotTooOld(t *testing.T) {
	t.Parallel()
	// What go.mod selects, and, should the two ever differ, what the packages
	// of this module are really built from.
	selected := goList[goModule](t, "-m", "-e", "-json=Path,Version,Replace", "all")
	built := goList[struct{ Module *goModule }](t, "-deps", "-test", "-e", "-json=Module", "./...")
	for _, p := range built {
		if p.Module != nil {
			selected = append(selected, *p.Module)
		}
	}
	told := map[string]bool{}
	for _, m := range selected {
		if fault := versionFault(m); fault != "" && !told[fault] {
			told[fault] = true
			t.Error(fault)
		}
	}
}

func versionFault(m goModule) string {
	for _, floor := range floors {
		switch {
		case m.Path != floor.path:
		case m.Replace != nil:
			return m.Path + " is replaced by " + m.Replace.Path + " " + m.Replace.Version + ": its version cannot be known"
		case semver.Compare(m.Version, floor.version) < 0:
			return m.Path + " " + m.Version + " is older than " + floor.version + ": " + floor.why
		}
	}
	return ""
}

func TestOldLibrariesAreSeen(t *testing.T) {
	t.Parallel()
	const path = "github.com/russellhaering/goxmldsig"
	cases := []struct {
		module goModule
		want   string
	}{
		{goModule{Path: path, Version: "v1.6.1"}, ""},
		{goModule{Path: path, Version: "v1.10.0"}, ""},
		{goModule{Path: path, Version: "v1.6.0"}, "is older than v1.6.1"},
		{goModule{Path: path, Version: "v1.6.1", Replace: &goModule{Path: "../fork"}}, "is replaced by ../fork"},
		{goModule{Path: "example.com/other", Version: "v0.0.1"}, ""},
	}
	for _, c := range cases {
		if fault := versionFault(c.module); (fault == "") != (c.want == "") || !strings.Contains(fault, c.want) {
			t.Errorf("%+v: %q, want %q", c.module, fault, c.want)
		}
	}
}

func goList[T any](t *testing.T, args ...string) (all []T) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = repository(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var one T
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}
