package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// someBcrypt is a hash that can be imported.
const someBcrypt = "$2y$05$abcdefghijklmnopqrstuuu9GjtN3B1i1FbL0pW9bqKzH6pX8y0m2"

// file writes a file into the gateway's directory.
func (g *commanded) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// names are the accounts that there are.
func (g *commanded) names(t *testing.T) (names []string) {
	t.Helper()
	var list accountListView
	g.json(t, &list, "account", "list")
	for _, a := range list.Accounts {
		names = append(names, a.Name)
	}
	return names
}

// happened are the names of the events whose call is known, oldest first. They
// are written in batches: it waits until there are as many as that.
func (g *commanded) happened(t *testing.T, call string, many int) (names []string) {
	t.Helper()
	for wait := 0; wait == 0 || len(names) < many && wait < 100; wait++ {
		time.Sleep(50 * time.Millisecond)
		var list eventList
		g.json(t, &list, "audit", "--limit", "1000")
		names = nil
		for _, e := range slices.Backward(list.Events) {
			if e.Method == call {
				names = append(names, e.Event)
			}
		}
	}
	return names
}

// manyFaults has faults that the reader finds, that the rules find, and that
// only the database knows.
const manyFaults = "name,email,groups,disabled,password_hash\n" +
	"good,good@example.com,staff,false,\n" +
	"odd,odd@example.com,staff,perhaps,\n" + // 3
	"Capital,nonsense,a b;c d,,hunter2hunter2\n" + // 4: five faults
	"taken,new@example.com,,,\n" + // 5
	"other,TAKEN@example.com,,,\n" + // 6
	"short,line\n" + // 7
	"good,second@example.com,,TRUE,\n" + // 8
	"fine,,,TRUE," + someBcrypt + "\n" +
	"md,,,,$apr1$saltsalt$hashhash\n" // 10

var manyFaultsTold = []string{
	"3: disabled is true, false or empty",
	`4: "Capital": a name is 1 to 128 characters`, `4: "nonsense" is not an e-mail address`, `4: "a b" is no group name`, `4: "c d" is no group name`,
	"4: stored password hash is unusable: its kind is unknown",
	"5: the name or e-mail address is, or once was", "6: the name or e-mail address is, or once was",
	"7: it has more or fewer fields", "8: its name or e-mail address is in line 2 too",
	"10: stored password hash is unusable: MD5 ($apr1$) is not accepted; leave it out, and send the person a set-up link",
}

// expectFaults wants these faults, in this order, and no other.
func expectFaults(t *testing.T, name, text string, want []string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(text) {
		if _, fault, found := strings.Cut(line, name+":"); found {
			got = append(got, strings.TrimSpace(fault))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d faults, not %d:\n%s", len(got), len(want), text)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "saltsalt") {
		t.Errorf("a hash, or what stands in its place, is told: %s", text)
	}
}

// TestAllFaultsOfAFileAreToldTogether: those of the reader, of the rules and
// of the database, and nothing is imported.
func TestAllFaultsOfAFileAreToldTogether(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "taken", "--email", "taken@example.com")
	r := g.run("", "account", "import", g.file(t, "a.csv", manyFaults))
	if r.code != 1 || r.out != "" || !strings.HasPrefix(r.err, "Error: nothing was imported") {
		t.Errorf("%+v", r)
	}
	expectFaults(t, "a.csv", r.err, manyFaultsTold)
	if got := g.names(t); len(got) != 1 {
		t.Error(got)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "taken", "--email", "taken@example.com")
	faulty, clean := g.file(t, "a.csv", manyFaults), g.file(t, "b.csv", "name,password_hash\nnew,\nold,"+someBcrypt+"\n")
	r := g.run("", "account", "import", faulty, "--dry-run", "--reason", "trying")
	if r.code != 1 || r.out != "Nothing was changed. Accounts without a fault: 2\ngood would have no password: sallyport account set-up-link good\n" ||
		!strings.HasPrefix(r.err, "Error: with these lines nothing would be imported\n") {
		t.Errorf("%+v", r)
	}
	expectFaults(t, "a.csv", r.err, manyFaultsTold)
	if r := g.run("", "account", "import", faulty, "--dry-run", "--skip-faulty"); r.code != 1 || !strings.Contains(r.err, "these lines would be left out\n") {
		t.Errorf("%+v", r)
	}
	if out := g.ok(t, "account", "import", clean, "--dry-run"); !strings.Contains(out, "without a fault: 2\nnew would have") || strings.Contains(out, "old") {
		t.Error(out)
	}
	var told imported
	r = g.run("", "account", "import", faulty, "--dry-run", "--json")
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != 1 || !told.DryRun || told.Imported != 2 || len(told.Faults) != len(manyFaultsTold) {
		t.Errorf("%v %+v", err, r)
	}
	g.json(t, &told, "account", "import", clean, "--dry-run")
	if !told.DryRun || told.Imported != 2 || len(told.Faults) != 0 || strings.Join(told.WithoutPassword, " ") != "new" {
		t.Errorf("%+v", told)
	}
	if got := g.names(t); len(got) != 1 {
		t.Errorf("accounts after dry runs: %v", got)
	}
	if got := g.happened(t, callImport, 5); !slices.Equal(got, slices.Repeat([]string{"operator_read"}, 5)) {
		t.Errorf("events of dry runs: %v", got)
	}
}

func TestFaultyLinesAreLeftOutWhereAsked(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "taken", "--email", "taken@example.com")
	file := g.file(t, "a.csv", manyFaults)
	out := g.ok(t, "account", "import", file, "--skip-faulty")
	if !strings.HasPrefix(out, "Accounts imported: 2\ngood has no password: ") || !strings.Contains(out, "\nLeft out: ") {
		t.Error(out)
	}
	expectFaults(t, "a.csv", out, manyFaultsTold)
	if got := g.names(t); !slices.Equal(got, []string{"fine", "good", "taken"}) {
		t.Error(got)
	}
	if got := g.happened(t, callImport, 2); !slices.Equal(got, []string{"account_added", "account_added"}) {
		t.Error(got)
	}
	// Now every line has a fault.
	g.refused(t, 1, "nothing was imported", "account", "import", file, "--skip-faulty")
	var told imported
	g.json(t, &told, "account", "import", g.file(t, "b.csv", "name\nnew\nBad\n"), "--skip-faulty")
	if told.DryRun || told.Imported != 1 || len(told.Faults) != 1 || told.Faults[0].Line != 3 {
		t.Errorf("%+v", told)
	}
}

// TestHalfAFileIsNotImported: where the reader lost its way, nobody knows who
// was left out.
func TestHalfAFileIsNotImported(t *testing.T) {
	g := startCommanded(t)
	for name, text := range map[string]string{
		"a.csv":  "name,email\nann,ann@example.com\nbob,\"bob\nx,y\n",
		"b.json": `{"accounts": [{"name": "ann"}, {"name": `,
		"c.json": `{"accounts": [{"name": "ann"}]`,
		"d.yml":  "users:\n  ann:\n    email: ann@example.com\n  bob: [\n",
	} {
		r := g.run("", "account", "import", g.file(t, name, text), "--skip-faulty")
		if r.code != 1 || !strings.Contains(r.err, "nothing was imported") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if got := g.names(t); len(got) != 0 {
		t.Error(got)
	}
}

// TestAliasesOfYAMLAreNotFollowed: a value that thousands refer to is there as
// often when it is read.
func TestAliasesOfYAMLAreNotFollowed(t *testing.T) {
	t.Parallel()
	text := "users:\n  ann:\n    groups: &g [a, b]\n  bob: {groups: *g}\n  carl:\n    groups: [*g]\n  dora:\n    <<: {email: d@example.com}\n  erik: &e {}\n  finn: *e\n  gus: {<<: *e}\n"
	file := readAuthelia([]byte(text))
	var names []string
	for _, a := range file.accounts {
		names = append(names, a.Name)
	}
	if !slices.Equal(names, []string{"ann", "dora", "erik"}) || len(file.faults) != 4 || file.cut {
		t.Errorf("%v %+v", names, file)
	}
}

// TestAccountsOfOneLineAreToldApart: JSON without line breaks, as other programs
// write it.
func TestAccountsOfOneLineAreToldApart(t *testing.T) {
	g := startCommanded(t)
	twice := g.file(t, "a.json", `{"accounts":[{"name":"ann"},{"name":"bob"},{"name":"ann"},{"name":"bob@example.com","email":"bob@example.com"}]}`)
	g.refused(t, 1, "a.json:1: its name or e-mail address is in line 1 too", "account", "import", twice)
	if out := g.ok(t, "account", "import", twice, "--skip-faulty"); !strings.Contains(out, "imported: 3\n") || strings.Count(out, "Left out") != 1 {
		t.Error(out)
	}
	odd := g.file(t, "b.json", `{"accounts":[{"name":"carl"},{"name":7},{"name":"dora"}]}`)
	if out := g.ok(t, "account", "import", odd, "--skip-faulty"); !strings.Contains(out, "imported: 2\n") || strings.Count(out, "Left out") != 1 {
		t.Error(out)
	}
}

func TestExportCanBeMisreadInNoWay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]importFile{
		"{\"accounts\": [\n{\"name\":\"ann\"},\n\n{\"name\":\"bob\",\"disabled\":true}]}": {accounts: []importedAccount{{Line: 2, Name: "ann"}, {Line: 4, Name: "bob", Disabled: true}}},
		`{"accounts": [{"name":"ann","mail":"x"}]}`:                                       {faults: []lineFault{{1, "it is not an account as `account export` prints them"}}},
		`{"accounts": ["$2y$05$secret"]}`:                                                 {faults: []lineFault{{1, "it is not an account as `account export` prints them"}}},
		`[{"name":"ann"}]`:                                                                {faults: []lineFault{{1, `it does not begin with {"accounts": [`}}, cut: true},
		"":                                                                                {faults: []lineFault{{1, `it does not begin with {"accounts": [`}}, cut: true},
	} {
		if diff := cmp.Diff(want, readExport([]byte(text)), cmp.AllowUnexported(importFile{})); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestTooManyAccountsAreRefused(t *testing.T) {
	g := startCommanded(t)
	r := g.run("name\n"+strings.Repeat("x\n", maxImport+1), "account", "import", "-", "--format", "csv")
	if r.code != 1 || !strings.Contains(r.err, "at most 10000 accounts") {
		t.Errorf("%.200s", r.err)
	}
	if r := g.run(strings.Repeat("x", maxImportBody+1), "account", "import", "-", "--format", "csv"); r.code != 1 || !strings.Contains(r.err, "larger than 16 MiB") {
		t.Errorf("%.200s", r.err)
	}
}
