package repotest

import (
	"slices"
	"strings"
	"testing"
)

// mayImport is the direction in which imports go: a package and what of this
// module its ordinary files may import. docs/design.md draws it.
//
// Every package may also import internal/secret, which imports nothing.
var mayImport = map[string]string{
	// Values and rules; no I/O.
	"internal/secret":    "",
	"internal/account":   "",
	"internal/factor":    "internal/account",
	"internal/phone":     "",
	"internal/session":   "internal/account internal/assertion",
	"internal/access":    "internal/account internal/session",
	"internal/audit":     "",
	"internal/keyring":   "",
	"internal/assertion": "internal/account",
	"pages":              "",

	// Conversations with the outside: an identity provider, a telephone.
	"internal/samlsp": "",
	"internal/notify": "internal/phone",

	// Signing in, and the pages of it.
	"internal/login": "internal/access internal/account internal/audit internal/factor internal/phone internal/session",
	"internal/web": "internal/access internal/account internal/audit internal/factor internal/keyring " +
		"internal/login internal/phone internal/samlsp internal/session pages",

	// Stores know values, never the pages and never each other.
	"internal/sqlstore":   "internal/account internal/audit internal/factor internal/keyring internal/login internal/session",
	"internal/redisstore": "internal/account internal/login internal/session",

	// Where everything meets, and the only place that knows Caddy.
	"caddymodule": "internal/access internal/account internal/assertion internal/audit internal/factor internal/keyring internal/login " +
		"internal/notify internal/phone internal/redisstore internal/samlsp internal/session internal/sqlstore internal/web pages",
	"cmd/sallyport": "caddymodule",

	// For tests only.
	"internal/testtools":  "",
	"internal/vendortest": "internal/testtools",
	"internal/samltest":   "internal/samlsp",
	"internal/storetest":  "internal/account internal/audit internal/factor internal/keyring internal/login internal/session internal/testtools",
	"internal/authtest": "internal/access internal/account internal/audit internal/factor internal/keyring internal/login " +
		"internal/notify internal/phone internal/redisstore internal/samlsp internal/session internal/sqlstore internal/storetest internal/testtools internal/vendortest pages",
	"internal/repotest": "",
	"build/testlog":     "",
	"bench":             "internal/account internal/factor internal/keyring internal/redisstore internal/session internal/sqlstore internal/testtools",
	"bench/caddy":       "",
	"e2e":               "internal/testtools internal/vendortest",
}

func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, fault := range importFaults(p) {
			t.Error(fault)
		}
	}
}

// importFaults says what is wrong with the imports of one package.
func importFaults(p goPackage) (faults []string) {
	name := short(p.ImportPath)
	row, known := mayImport[name]
	if !known {
		return []string{name + ": not in mayImport (internal/repotest/imports_test.go): add it to the table"}
	}
	allowed := append(strings.Fields(row), "internal/secret")
	for _, path := range p.Imports {
		switch to := short(path); {
		case path == "testing" && mayTest(name):
		case path == "testing":
			faults = append(faults, name+" imports testing: it would end up in the shipped binary")
		case !ours(path):
		case slices.Contains(testOnly, to) && !slices.Contains(allowed, to):
			faults = append(faults, name+" imports "+to+", which is for tests only")
		case !slices.Contains(allowed, to):
			faults = append(faults, name+" imports "+to+": the table of internal/repotest/imports_test.go does not allow it")
		}
	}
	// Deps counts what comes in through others too.
	if !knowsCaddy(name) {
		for _, path := range p.Deps {
			if isCaddy(path) {
				faults = append(faults, name+" brings in "+path+": only cmd and caddymodule know Caddy")
				break // one is enough: Caddy has hundreds
			}
		}
	}
	// A test may reach further than its package does, but not round a corner.
	for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
		if isCaddy(path) && !knowsCaddy(name) {
			faults = append(faults, name+": a test imports "+path+": only cmd and caddymodule know Caddy")
		}
		if short(path) == "internal/web" && name != "internal/web" && name != "caddymodule" {
			faults = append(faults, name+": a test imports internal/web, which only caddymodule may")
		}
	}
	return faults
}

func mayTest(name string) bool {
	return slices.Contains(testOnly, name) || name == "bench" || name == "e2e"
}

func isCaddy(path string) bool { return strings.HasPrefix(path, "github.com/caddyserver/caddy/") }

// knowsCaddy: of benchmarks, what Sallyport is compared with is one.
func knowsCaddy(name string) bool {
	return name == "caddymodule" || name == "bench/caddy" || strings.HasPrefix(name, "cmd/")
}

// TestImportTableHoldsTheDesign keeps the table above from being widened by
// accident: these are the promises of docs/design.md.
func TestImportTableHoldsTheDesign(t *testing.T) {
	t.Parallel()
	never := map[string]string{
		"internal/sqlstore":   "internal/web internal/redisstore caddymodule",
		"internal/redisstore": "internal/web internal/sqlstore caddymodule",
		"internal/audit":      "internal/web internal/login internal/sqlstore internal/redisstore",
		"internal/account":    "internal/sqlstore internal/redisstore internal/web internal/login",
		"internal/factor":     "internal/sqlstore internal/redisstore internal/web internal/login",
		"internal/session":    "internal/sqlstore internal/redisstore internal/web internal/login",
		"internal/login":      "internal/sqlstore internal/redisstore internal/web",
	}
	for from, tos := range never {
		for to := range strings.FieldsSeq(tos) {
			if reaches(from, to, map[string]bool{}) {
				t.Errorf("the table lets %s reach %s", from, to)
			}
		}
	}
	for from, row := range mayImport {
		if from != "caddymodule" && slices.Contains(strings.Fields(row), "internal/web") {
			t.Errorf("the table lets %s import internal/web", from)
		}
		for to := range strings.FieldsSeq(row) {
			if _, known := mayImport[to]; !known {
				t.Errorf("the table lets %s import %s, which it does not list", from, to)
			}
		}
		if reaches(from, from, map[string]bool{}) {
			t.Errorf("the table lets %s import itself in a circle", from)
		}
	}
	if mayImport["pages"] != "" || mayImport["internal/secret"] != "" {
		t.Error("pages and internal/secret import no package of ours")
	}
	if mayImport["internal/access"] != "internal/account internal/session" {
		t.Error("internal/access imports account and session only")
	}
}

func reaches(from, to string, seen map[string]bool) bool {
	for next := range strings.FieldsSeq(mayImport[from]) {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(next, to, seen) {
				return true
			}
		}
	}
	return false
}

func TestImportFaultsAreSeen(t *testing.T) {
	t.Parallel()
	const caddy = "github.com/caddyserver/caddy/v2"
	cases := map[string]goPackage{
		"add it to the table":         {ImportPath: module + "/internal/novelty"},
		"does not allow it":           {ImportPath: module + "/internal/sqlstore", Imports: []string{module + "/internal/redisstore"}},
		"which is for tests only":     {ImportPath: module + "/internal/login", Imports: []string{module + "/internal/testtools"}},
		"imports testing":             {ImportPath: module + "/internal/login", Imports: []string{"testing"}},
		"brings in " + caddy:          {ImportPath: module + "/internal/login", Deps: []string{caddy}},
		"a test imports " + caddy:     {ImportPath: module + "/pages", XTestImports: []string{caddy}},
		"a test imports internal/web": {ImportPath: module + "/internal/authtest", TestImports: []string{module + "/internal/web"}},
	}
	for want, p := range cases {
		if faults := importFaults(p); len(faults) != 1 || !strings.Contains(faults[0], want) {
			t.Errorf("faults of %+v: %q, want one with %q", p, faults, want)
		}
	}
}
