package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"

	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// documents are those for operators. What they say is compared with the code.
func documents(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"README.md": fromRoot(t, "README.md")}
	for _, file := range files {
		name := "docs/" + filepath.Base(file)
		texts[name] = fromRoot(t, name)
	}
	return texts
}

// fenced is one block of code in a document.
type fenced struct {
	where    string // file:line of its first line
	language string
	text     string
}

func fencedIn(name, text string) (blocks []fenced) {
	var b *fenced
	for i, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && b == nil:
			b = &fenced{where: fmt.Sprintf("%s:%d", name, i+2), language: language}
		case fence:
			blocks, b = append(blocks, *b), nil
		case b != nil:
			b.text += line + "\n"
		}
	}
	return blocks
}

// allFenced gives the blocks of one language in all documents.
func allFenced(t testing.TB, language string) (blocks []fenced) {
	t.Helper()
	for name, text := range documents(t) {
		for _, b := range fencedIn(name, text) {
			if b.language == language {
				blocks = append(blocks, b)
			}
		}
	}
	return blocks
}

// TestCaddyfilesInDocumentsAreGood: each adapts without a warning and
// validates.
func TestCaddyfilesInDocumentsAreGood(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	blocks := allFenced(t, "caddyfile")
	if len(blocks) < 10 {
		t.Errorf("only %d Caddyfiles in the documents", len(blocks))
	}
	for _, b := range blocks {
		adapted := expectTidy(t, b.where, b.text)
		var config caddy.Config
		if err := caddy.StrictUnmarshalJSON(adapted, &config); err != nil {
			t.Errorf("%s: %v", b.where, err)
			continue
		}
		if err := caddy.Validate(&config); err != nil {
			t.Errorf("%s: %v", b.where, err)
		}
	}
}

// row is one option in a table of docs/configuration.md.
type row struct {
	where, path, usage, fallback string
}

var optionsMark = regexp.MustCompile(`^<!-- options: (\S+) -->$`)

// documentedOptions reads the tables that stand below an `options:` mark.
func documentedOptions(t testing.TB) (rows []row) {
	t.Helper()
	const name = "docs/configuration.md"
	under := ""
	for i, line := range strings.Split(fromRoot(t, name), "\n") {
		if m := optionsMark.FindStringSubmatch(line); m != nil {
			under = m[1]
			continue
		}
		if under == "" || line == "" && (len(rows) == 0 || !strings.HasPrefix(rows[len(rows)-1].path, under+".")) {
			continue
		}
		if !strings.HasPrefix(line, "|") {
			under = ""
			continue
		}
		if strings.HasPrefix(line, "| option") || strings.HasPrefix(line, "| ---") {
			continue
		}
		var cells []string
		for _, cell := range strings.Split(strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "\x00"), "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|"))
		}
		if len(cells) != 3 || !strings.HasPrefix(cells[0], "`") || !strings.HasSuffix(cells[0], "`") || cells[1] == "" {
			t.Errorf("%s:%d: not `option` | what it does | default", name, i+1)
			continue
		}
		usage := cells[0][1 : len(cells[0])-1]
		word, rest, _ := strings.Cut(usage, " ")
		if under == "app.phone.sender" { // named by what follows
			word, _, _ = strings.Cut(rest, " ")
		}
		rows = append(rows, row{fmt.Sprintf("%s:%d", name, i+1), join(under, word), usage, cells[2]})
	}
	return rows
}

// usages gives what to write for each option, by the grammar's own tables.
func usages(options []option, under string, to map[string]string) map[string]string {
	for _, o := range options {
		to[join(under, o.name)] = o.usage
		usages(o.block, join(under, o.name), to)
	}
	return to
}

// TestOptionsAreDocumented: each once, in the form that messages give, and no
// other.
func TestOptionsAreDocumented(t *testing.T) {
	t.Parallel()
	known := usages(appOptions(new(App)), "app", usages(guardOptions(new(Guard), nil), "guard", map[string]string{}))
	usages(senderOptions(), "app.phone.sender", known)
	told := map[string]int{}
	for _, r := range documentedOptions(t) {
		told[r.path]++
		usage, ok := known[r.path]
		switch {
		case !ok:
			t.Errorf("%s: there is no option %s", r.where, r.path)
		case usage != r.usage:
			t.Errorf("%s: it is written `%s`, not `%s`", r.where, usage, r.usage)
		}
	}
	for path := range known {
		if told[path] != 1 {
			t.Errorf("docs/configuration.md tells of %s %d times, not once", path, told[path])
		}
	}
}

// TestDocumentedDefaultsAreTrue writes each default that stands in a table
// into a configuration, which changes nothing.
func TestDocumentedDefaultsAreTrue(t *testing.T) {
	t.Parallel()
	around := map[string][2]string{
		"app":              {"{\n\tsallyport {\n\t\tportal https://login.example.com\n", "\t}\n}\n"},
		"app.database":     {"{\n\tsallyport {\n\t\tdatabase postgres {env.X} {\n", "\t\t}\n\t}\n}\n"},
		"app.sessions":     {"{\n\tsallyport {\n\t\tsessions redis {\n", "\t\t}\n\t}\n}\n"},
		"app.sessions.tls": {"{\n\tsallyport {\n\t\tsessions redis rediss://r:1 {\n\t\t\ttls {\n", "\t\t\t}\n\t\t}\n\t}\n}\n"},
		"app.phone":        {"{\n\tsallyport {\n\t\tphone {\n\t\t\tsender outbox\n", "\t\t}\n\t}\n}\n"},
		"app.mail":         {"{\n\tsallyport {\n\t\tmail smtp://mail.example.com {\n\t\t\tfrom it@example.com\n", "\t\t}\n\t}\n}\n"},
		"app.saml":         {"{\n\tsallyport {\n\t\tportal https://login.example.com\n\t\tsaml partner {\n\t\t\tmetadata /partner.xml\n", "\t\t}\n\t}\n}\n"},
		"guard":            {"app.example.com {\n\tsallyport {\n\t\ttitle App\n", "\t}\n}\n"},
	}
	for name, needed := range map[string]string{
		"telnyx":        "api_key {env.X}\nfrom +15005550006",
		"telnyx_verify": "api_key {env.X}\nprofile 4900017a-e7a4-4bd5-8e0e-f2f4e0c4ad4e",
		"twilio":        "account_sid {env.X}\nauth_token {env.X}\nfrom +15005550006",
		"webhook":       "url {env.X}\nsecret {env.X}",
	} {
		phone := around["app.phone"]
		around["app.phone.sender."+name] = [2]string{phone[0] + "countries US\nsender " + name + " {\n" + needed + "\n", "}\n" + phone[1]}
	}
	alone := regexp.MustCompile("^`([^`]+)`$")
	checked := 0
	for _, r := range documentedOptions(t) {
		m := alone.FindStringSubmatch(r.fallback)
		if m == nil {
			continue // words, not a value
		}
		under, name := r.path[:strings.LastIndexByte(r.path, '.')], r.path[strings.LastIndexByte(r.path, '.')+1:]
		frame, ok := around[under]
		if !ok { // a block of its own, with nothing else in it
			_, block, _ := strings.Cut(under, ".")
			frame = [2]string{around["app"][0] + "\t\t" + block + " {\n", "\t\t}\n" + around["app"][1]}
		}
		bare := frame[0] + frame[1]
		if !ok {
			bare = around["app"][0] + around["app"][1]
		}
		checked++
		if diff := cmp.Diff(settings(t, bare), settings(t, frame[0]+name+" "+m[1]+"\n"+frame[1])); diff != "" {
			t.Errorf("%s: `%s` is not the default of %s: -without +with\n%s", r.where, m[1], r.path, diff)
		}
	}
	if checked < 25 {
		t.Errorf("only %d defaults were checked", checked)
	}
}

// documentedUser is the line for a Redis ACL file in docs/operation.md.
func documentedUser(t testing.TB) string {
	t.Helper()
	for line := range strings.Lines(fromRoot(t, "docs/operation.md")) {
		if strings.HasPrefix(line, "user sallyport on >PASSWORD ") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatal("docs/operation.md has no line for a Redis ACL file")
	return ""
}

// TestDocumentedRedisUserHasTheStoresRules: no right more and none less. That
// they suffice is proved where configurations are loaded with this user.
func TestDocumentedRedisUserHasTheStoresRules(t *testing.T) {
	t.Parallel()
	store, err := redisstore.Open(redisstore.Options{Addrs: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	want := "user sallyport on >PASSWORD " + strings.Join(store.AccessRules(), " ")
	if diff := cmp.Diff(want, documentedUser(t)); diff != "" {
		t.Errorf("docs/operation.md: -rules +documented\n%s", diff)
	}
}

// commandTree is the command line of the binary: Caddy's commands and ours,
// ours also without the word before them.
func commandTree() *cobra.Command {
	root := &cobra.Command{Use: "sallyport"}
	for name, c := range caddycmd.Commands() {
		sub := &cobra.Command{Use: name + " " + c.Usage, Short: c.Short, Run: func(*cobra.Command, []string) {}}
		if c.CobraFunc != nil {
			c.CobraFunc(sub)
		} else if c.Flags != nil {
			sub.Flags().AddGoFlagSet(c.Flags)
		}
		root.AddCommand(sub)
	}
	root.AddCommand(commands()...)
	return root
}

// commandFault says what is wrong with a command line of ours.
func commandFault(words []string) string {
	c, rest, err := commandTree().Find(words)
	if err != nil {
		return err.Error()
	}
	if c.HasSubCommands() && !c.Runnable() || c.Name() == "sallyport" {
		return fmt.Sprintf("%q is no command", strings.Join(words, " "))
	}
	if err := c.ParseFlags(rest); err != nil {
		return err.Error()
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		return err.Error()
	}
	if err := c.ValidateRequiredFlags(); err != nil {
		return err.Error()
	}
	return ""
}

// otherPrograms may stand in the documents beside make and sallyport.
var otherPrograms = []string{"cp", "curl", "export", "git", "install", "pg_dump", "pg_restore", "printf", "prometheus", "redis-cli", "rm", "systemctl"}

// shellFault says what is wrong with one line for a shell.
func shellFault(line string) string {
	var part []string
	for _, word := range append(shellWords(line), "|") {
		switch {
		case word == "|":
			if fault := partFault(part); fault != "" {
				return fault
			}
			part = nil
		default:
			part = append(part, word)
		}
	}
	return ""
}

// partFault says what is wrong with one command of a line.
func partFault(words []string) string {
	if i := slices.Index(words, ">"); i >= 0 {
		words = words[:i]
	}
	if len(words) > 0 && words[0] == "sudo" {
		words = words[1:]
	}
	switch {
	case len(words) == 0:
		return "no command"
	case words[0] == "make":
		return makeFault(words[1:])
	case words[0] == "sallyport", words[0] == "./bin/sallyport":
		return commandFault(words[1:])
	case slices.Contains(otherPrograms, words[0]):
		return ""
	}
	return fmt.Sprintf("%q is not a program that the documents use: add it to otherPrograms", words[0])
}

var wordOfShell = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)

// shellWords splits a line into words, quotes taken off.
func shellWords(line string) (words []string) {
	line, _, _ = strings.Cut(line, " # ")
	for _, w := range wordOfShell.FindAllString(line, -1) {
		words = append(words, strings.Trim(w, `"'`))
	}
	return words
}

// makeFault looks up targets and lets make plan them.
func makeFault(targets []string) string {
	cmd := exec.Command("make", append([]string{"-n", "--no-print-directory"}, targets...)...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("make %s: %v: %s", strings.Join(targets, " "), err, out)
	}
	for _, target := range targets {
		makefile, err := os.ReadFile("../Makefile")
		if err != nil {
			return err.Error()
		}
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:.*## `).Match(makefile) {
			return "make help does not tell of " + target
		}
	}
	return ""
}

// inlineCommand is a command in running text, a comment or a unit file.
var inlineCommand = regexp.MustCompile("(?:`|#   ?|: {1,3}|=/usr/local/bin/)((?:\\./bin/)?sallyport [a-z-]+(?: [^`\n…]*)?|make [a-z-]+)(?:`|\n| …)")

// TestCommandsInDocumentsExist: each command of ours with its flags, and each
// target of the Makefile.
func TestCommandsInDocumentsExist(t *testing.T) {
	t.Parallel()
	count := 0
	for _, b := range allFenced(t, "sh") {
		for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", " ")) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			count++
			if fault := shellFault(line); fault != "" {
				t.Errorf("block at %s: %s: %s", b.where, line, fault)
			}
		}
	}
	texts := documents(t)
	for _, name := range []string{example, "configs/single-node.Caddyfile", "configs/cluster.Caddyfile"} {
		texts[name] = fromRoot(t, name)
	}
	for name, text := range texts {
		for _, m := range inlineCommand.FindAllStringSubmatch(text, -1) {
			count++
			words := shellWords(m[1])
			var fault string
			switch {
			case words[0] == "make":
				fault = makeFault(words[1:])
			case len(words) > 2:
				fault = commandFault(words[1:])
			default: // a command alone, without its arguments
				if _, _, err := commandTree().Find(words[1:]); err != nil {
					fault = err.Error()
				}
			}
			if fault != "" {
				t.Errorf("%s: %s: %s", name, m[1], fault)
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d commands were found in the documents", count)
	}
}

func TestFaultsOfCommandsAreSeen(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"make build":                                "",
		"make nothing-of-the-kind":                  "nothing-of-the-kind",
		"make bin/testlog":                          "make help does not tell of",
		"sallyport run --config Caddyfile":          "",
		"sallyport run --konfig Caddyfile":          "unknown flag",
		"sallyport no-such-command":                 "no-such-command",
		"./bin/sallyport totp KEY":                  "",
		"sallyport sallyport totp KEY":              "",
		"./bin/sallyport totp":                      "requires at least 1 arg",
		"sudo rm -r /var/lib/sallyport":             "",
		"wget https://example.com/install.sh":       "not a program",
		"sallyport demo --dir /tmp/x # with a word": "",
	} {
		fault := shellFault(line)
		if want == "" && fault != "" || !strings.Contains(fault, want) {
			t.Errorf("%s: %q, want %q", line, fault, want)
		}
	}
}

// TestDocumentedCommandsRun runs, in this process, those that need no running
// gateway.
func TestDocumentedCommandsRun(t *testing.T) {
	dir := shortDir(t)
	t.Setenv("XDG_DATA_HOME", dir)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(fromRoot(t, example)), 0o600); err != nil {
		t.Fatal(err)
	}
	blocks := allFenced(t, "sh")
	t.Chdir(dir)
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	stdout := os.Stdout
	os.Stdout = quiet // where Caddy's commands print
	defer func() { os.Stdout = stdout }()
	ran := map[string]bool{}
	for _, b := range blocks {
		for line := range strings.Lines(b.text) {
			words := shellWords(strings.ReplaceAll(line, "/etc/sallyport/Caddyfile", "Caddyfile"))
			if len(words) < 2 || words[0] != "sallyport" || !slices.Contains([]string{"adapt", "validate"}, words[1]) {
				continue
			}
			ran[words[1]] = true
			root := commandTree()
			root.SetArgs(words[1:])
			root.SilenceUsage, root.SilenceErrors = true, true
			if err := root.Execute(); err != nil {
				t.Errorf("%s: %s: %v", b.where, strings.TrimSpace(line), err)
			}
		}
	}
	if len(ran) != 2 {
		t.Errorf("ran %v; want adapt and validate", ran)
	}
}

// TestFilesAreRestoredAsDocumented runs the commands that docs/operation.md
// gives for a copy of the files and its restoring, in directories of its own.
func TestFilesAreRestoredAsDocumented(t *testing.T) {
	dir, backups := shortDir(t), shortDir(t)
	t.Setenv("XDG_DATA_HOME", dir)
	if _, err := demoAccount(dir); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "caddy", "sallyport")
	gateway := func() *running {
		port := testtools.FreePort(t)
		r := serve(t, dir, fromRoot(t, "configs/single-node.Caddyfile"), port, locally(port, testtools.FreePort(t)), "/run/secrets/mail}", mailPassword(t, dir)+"}")
		r.expect(t, "https://login.example.com/sign-in", 200, "Example Inc.")
		return r
	}
	run := func(commands string) {
		for line := range strings.Lines(strings.NewReplacer("/var/lib/sallyport/", dir+"/", "/var/backups/", backups+"/").Replace(commands)) {
			words := shellWords(line)[1:] // without sudo
			if words[0] == "systemctl" {
				continue
			}
			for _, word := range words[1:] {
				if !strings.HasPrefix(word, "-") && !strings.HasPrefix(word, dir) && !strings.HasPrefix(word, backups) {
					t.Fatalf("%s is outside the test's directories", word)
				}
			}
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", line, err, out)
			}
		}
	}
	_, section, _ := strings.Cut(fromRoot(t, "docs/operation.md"), "### With files\n")
	blocks := fencedIn("docs/operation.md", section)
	gateway().stop(t)
	run(blocks[0].text)
	for _, name := range []string{"accounts.db", "keys", "sessions.db"} {
		if err := os.WriteFile(filepath.Join(own, name), []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(blocks[1].text)
	if _, err := os.Stat(filepath.Join(own, "sessions.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sessions were restored: %v", err)
	}
	r := gateway()
	r.expectNoWarnings(t)
	r.stop(t)
	store := sqlstore.OpenSQLite(filepath.Join(own, "accounts.db"))
	defer store.Close()
	if empty, err := store.Empty(t.Context()); err != nil || empty {
		t.Errorf("restored database: empty %v, %v", empty, err)
	}
}

var dependencyRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|$")

// TestDependenciesAreDocumented: docs/dependencies.md has every direct
// requirement of go.mod, in its version, and nothing that is not in go.mod.
func TestDependenciesAreDocumented(t *testing.T) {
	t.Parallel()
	mod, err := modfile.Parse("go.mod", []byte(fromRoot(t, "go.mod")), nil)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, m := range dependencyRow.FindAllStringSubmatch(fromRoot(t, "docs/dependencies.md"), -1) {
		if told[m[1]] != "" {
			t.Errorf("docs/dependencies.md tells of %s twice", m[1])
		}
		told[m[1]] = m[2]
	}
	for _, r := range mod.Require {
		version, ok := told[r.Mod.Path]
		switch {
		case !ok && !r.Indirect:
			t.Errorf("docs/dependencies.md does not tell of %s %s", r.Mod.Path, r.Mod.Version)
		case ok && version != r.Mod.Version:
			t.Errorf("docs/dependencies.md: %s is %s in go.mod, not %s", r.Mod.Path, r.Mod.Version, version)
		}
		delete(told, r.Mod.Path)
	}
	for path := range told {
		t.Errorf("docs/dependencies.md: %s is not in go.mod", path)
	}
}
