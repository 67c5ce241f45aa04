package caddymodule

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// awkward display names are what CSV, spreadsheets and JSON stumble over.
var awkward = []string{
	"", "a,b", `"quoted"`, `"`, `""`, "a;b", "=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", "'", "''", "'=1", "'t Hooft", "''t", " ", " lead", "trail ", "'trail ",
	"＝１", "#", "# no comment", `\`, `\.`, "null", "true", "{}", "<b>", "Ж Łódź 東京", "e\u0301", "👩🏽", "\ufffd", "0012", "1e5", "|", strings.Repeat("x", maxDisplayName),
}

// awkwardAccounts fills a store with everything that an account may be: the
// list above, and as much again at random.
func awkwardAccounts() (all []account.Account) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from string, least, most int) string {
		var b strings.Builder
		letters := []rune(from)
		for range least + random.IntN(most-least+1) {
			b.WriteRune(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	const nameLetters, groupLetters = "abz019._@+-", "AZaz09._:@-"
	for i := range 3 * len(awkward) {
		a := account.Account{ID: account.ID(login.NewID()), Name: fmt.Sprintf("%s%d", pick(nameLetters, 0, 9), i), Created: time.Now(), Disabled: random.IntN(3) == 0}
		if a.DisplayName = pick(`=+-@'",;\ #ä東`, 0, 6); i < len(awkward) {
			a.DisplayName = awkward[i]
		}
		for range random.IntN(4) {
			a.Groups = append(a.Groups, pick(groupLetters, 1, 8))
		}
		a.Groups, _ = account.SplitGroups(a.Groups)
		switch random.IntN(3) {
		case 0:
			a.Email = account.NormaliseIdentifier(fmt.Sprintf("%s%d@%s.example.com", pick("abz0='+-_é", 1, 6), i, pick("abz0", 1, 3)))
		case 1:
			a.Provider = "partner"
		}
		if random.IntN(2) == 0 {
			a.PasswordHash = secret.New(someBcrypt)
		}
		all = append(all, a)
	}
	return all
}

// TestExportRoundTrips: exporting, importing into an empty installation and
// exporting again gives the same, in either form.
func TestExportRoundTrips(t *testing.T) {
	printed := map[string]string{}
	export := func(t *testing.T, g *commanded) (exports map[string]string) {
		exports = map[string]string{}
		for _, format := range []string{"json", "csv"} {
			exports[format] = g.ok(t, "account", "export", "--format", format)
			exports[format+" with hashes"] = g.ok(t, "account", "export", "--format", format, "--with-hashes")
		}
		return exports
	}
	accounts := awkwardAccounts()
	t.Run("from", func(t *testing.T) {
		g, _ := startFederated(t)
		if _, err := started.current().engine.durable.CreateAccounts(t.Context(), accounts); err != nil {
			t.Fatal(err)
		}
		printed = export(t, g)
	})
	for name, text := range printed {
		if name == "json" || name == "csv" {
			if strings.Contains(text, "$2y$") {
				t.Errorf("%s: hashes without --with-hashes", name)
			}
			continue // nobody would have a password: the others are the proof
		}
		t.Run(name, func(t *testing.T) {
			g, _ := startFederated(t)
			format, _, _ := strings.Cut(name, " ")
			if r := g.run(text, "account", "import", "-", "--format", format); r.code != 0 {
				t.Fatal(r.err)
			}
			again := export(t, g)
			for _, format := range []string{"json", "json with hashes"} {
				was, is := kept(readExport([]byte(printed[format]))), kept(readExport([]byte(again[format])))
				if diff := cmp.Diff(was, is, cmpopts.EquateEmpty()); diff != "" || len(was) != len(accounts) {
					t.Errorf("%d accounts, -before +after, %s: %s", len(was), format, diff)
				}
			}
			for _, format := range []string{"csv", "csv with hashes"} {
				if diff := cmp.Diff(printed[format], again[format]); diff != "" {
					t.Errorf("-before +after, %s: %s", format, diff)
				}
			}
		})
	}
	noFormulas(t, printed["csv with hashes"])
}

// kept are the accounts of an export without their lines.
func kept(file importFile) []importedAccount {
	for i := range file.accounts {
		file.accounts[i].Line = 0
	}
	return file.accounts
}

// noFormulas: a spreadsheet that opens our CSV runs nothing of it.
func noFormulas(t *testing.T, text string) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		for _, cell := range record {
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r") {
				t.Errorf("%q is a formula", cell)
			}
		}
	}
}

func FuzzCellsAreReadAsTheyWereWritten(f *testing.F) {
	for _, text := range awkward {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if printable(text, maxDisplayName) && fromCell(toCell(text)) != text {
			t.Errorf("%q was written %q and read %q", text, toCell(text), fromCell(toCell(text)))
		}
	})
}

// TestCellsByHandAreReadAsMeant: who writes a file by hand knows nothing of our
// apostrophes.
func TestCellsByHandAreReadAsMeant(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		" Ann ": "Ann", "'t Hooft": "'t Hooft", "'=1+1": "=1+1", "'": "'", "O'Hara": "O'Hara", "=1": "=1", "": "",
	} {
		if got := fromCell(cell); got != want {
			t.Errorf("%q is %q, want %q", cell, got, want)
		}
	}
}

// TestExportOpensNobodyWhoIsLocked: an import knows no lock, and somebody else
// may know the password that was good before "This wasn't me".
func TestExportOpensNobodyWhoIsLocked(t *testing.T) {
	accounts := []account.Account{
		{ID: account.ID(login.NewID()), Name: "ann", PasswordHash: secret.New(someBcrypt), Created: time.Now()},
		{ID: account.ID(login.NewID()), Name: "bob", PasswordHash: secret.New(someBcrypt), Created: time.Now(), Locked: time.Now()},
	}
	printed := map[string]string{}
	t.Run("from", func(t *testing.T) {
		g := startCommanded(t)
		if _, err := started.current().engine.durable.CreateAccounts(t.Context(), accounts); err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"json", "csv"} {
			printed[format] = g.ok(t, "account", "export", "--format", format, "--with-hashes")
		}
	})
	for format, text := range printed {
		t.Run(format, func(t *testing.T) {
			g := startCommanded(t)
			r := g.run(text, "account", "import", "-", "--format", format)
			if r.code != 0 || !strings.Contains(r.out, "bob has no password") || strings.Contains(r.out, "ann has no password") {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestExportFormatsExcludeEachOther(t *testing.T) {
	g := startCommanded(t)
	g.refused(t, 2, "exclude each other", "account", "export", "--format", "csv", "--json")
	g.refused(t, 2, "json or csv", "account", "export", "--format", "xml")
}
