package caddymodule

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// documented are the command lines in the ```sh blocks of docs/commands.md.
func documented(t *testing.T) (lines []string) { return documentedIn(t, "commands.md") }

// documentedIn are the command lines in the ```sh blocks of a document.
func documentedIn(t *testing.T, document string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return lines
}

var shellWord = regexp.MustCompile(`"[^"]*"|\S+`)

// TestDocumentedCommandsWork runs every command of docs/commands.md, in its
// order, as written but for the place of the gateway and of files.
func TestDocumentedCommandsWork(t *testing.T) {
	g, idp := startFederated(t)
	const bcrypt = "$2y$05$abcdefghijklmnopqrstuuu9GjtN3B1i1FbL0pW9bqKzH6pX8y0m2"
	for name, text := range map[string]string{
		"staff.csv":          "name,email,display_name,groups,password_hash\ncarol,carol@example.com,Carol,staff;ops," + bcrypt + "\ndave,dave@example.com,Dave,staff,\n",
		".htpasswd":          "erin:" + bcrypt + "\n",
		"idp.xml":            string(idp.Metadata(withoutLogout)),
		"guests.csv":         "name\ngina\nHugo\n",
		"lost.txt":           "# lost in the fire\nalice\nrobot@example.com\n",
		"users_database.yml": "users:\n  frank:\n    password: '" + bcrypt + "'\n    email: frank@example.com\n",
	} {
		write(t, filepath.Join(g.dir, name), text)
	}
	lines := documented(t)
	if len(lines) < 25 {
		t.Fatalf("only %d commands are documented: %v", len(lines), lines)
	}
	for _, line := range lines {
		stdin := ""
		if producer, command, piped := strings.Cut(line, " | "); piped && strings.HasPrefix(producer, "printf") {
			stdin, line = goodPassword+"\n", command
		}
		if strings.HasSuffix(line, `session end "$id"`) {
			line = "sallyport session end " + string(g.signIn(t, "carol"))
		}
		if strings.HasSuffix(line, `end carol "$browser"`) {
			line = "sallyport trusted-browser end carol " + g.trust(t, "carol")
		}
		line = strings.Replace(line, "explain --host app.example.com", "explain --host localhost", 1)
		if before, after, named := strings.Cut(line, `"$key"`); named {
			line = before + g.onlyAPIKey(t, "carol") + after
		}
		if strings.Contains(line, " saml explain ") { // it is good for a minute and a half
			write(t, filepath.Join(g.dir, "response.txt"), annas(idp, time.Now()).XML())
		}
		g.runLine(t, stdin, line)
	}
}

// runLine runs a documented command with the files of the gateway's folder. It
// has to succeed and to print something.
func (g *commanded) runLine(t *testing.T, stdin, line string) {
	t.Helper()
	args := shellWord.FindAllString(line, -1)
	for i, a := range args {
		args[i] = strings.Trim(a, `"`)
		if known := filepath.Join(g.dir, filepath.Base(args[i])); strings.Contains(a, ".") && exists(known) {
			args[i] = known
		}
	}
	if r := g.run(stdin, args[1:]...); args[0] != "sallyport" || r.code != 0 || r.out == "" {
		t.Errorf("%s: exit code %d\n%s", line, r.code, r.err)
	}
}

// TestDocumentedWorkWithAccountsWorks runs the commands for accounts that
// docs/operation.md gives, in its order.
func TestDocumentedWorkWithAccountsWorks(t *testing.T) {
	g := startCommanded(t)
	write(t, filepath.Join(g.dir, "users_database.yml"), "users:\n  frank:\n    email: frank@example.com\n  grace:\n    email: grace@example.com\n    password: '"+someBcrypt+"'\n")
	_, after, _ := strings.Cut(fromRoot(t, "docs/operation.md"), "## Many people at once\n")
	file, _, _ := strings.Cut(after, "```sh\n")
	write(t, filepath.Join(g.dir, "lost.txt"), strings.Split(file, "```\n")[1]) // as it is shown
	ran := 0
	for _, line := range documentedIn(t, "operation.md") {
		if strings.HasPrefix(line, "sallyport account ") {
			g.runLine(t, "", line)
			ran++
		}
	}
	if ran < 7 {
		t.Errorf("only %d commands", ran)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestEveryCommandIsDocumented: a command or flag that nobody can read about
// is not there.
func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(documented(t), "\n") + "\n"
	var look func(c *cobra.Command, path string)
	look = func(c *cobra.Command, path string) {
		for _, below := range c.Commands() {
			if path == "sallyport" && below.Name() == "demo" {
				continue // the README's first page
			}
			look(below, path+" "+below.Name())
		}
		if !c.HasSubCommands() && !regexp.MustCompile(regexp.QuoteMeta(path)+`[ \n]`).MatchString(shown) {
			t.Errorf("`%s` is not shown", path)
		}
		for usage := range strings.Lines(c.LocalFlags().FlagUsages()) {
			flag := strings.Fields(usage)[0]
			if !strings.Contains(string(text), flag) {
				t.Errorf("%s %s is not documented", path, flag)
			}
		}
	}
	root := &cobra.Command{Use: "sallyport"}
	fillCommand(root)
	look(root, "sallyport")
}
