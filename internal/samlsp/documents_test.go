package samlsp_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryReasonIsExplained: what the audit names, docs/saml.md explains, and
// nothing else.
func TestEveryReasonIsExplained(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, table, ok := strings.Cut(read("../../docs/saml.md"), "\n## Reasons\n")
	if !ok {
		t.Fatal("docs/saml.md has no reasons")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	explained := map[string]bool{}
	for line := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(first, -1) {
			explained[m[1]] = true
		}
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`Reason = "([a-z_]+)"`).FindAllStringSubmatch(read("refusal.go"), -1) {
		used[m[1]] = true
	}
	for _, file := range []string{"sso", "ssoanswer", "ssoperson", "ssologout"} {
		for _, m := range regexp.MustCompile(`Reason: "([a-z_]+)"`).FindAllStringSubmatch(read("../login/"+file+".go"), -1) {
			used[m[1]] = true
		}
	}
	used["flow_gone"] = true // of internal/web
	if len(used) < 40 {
		t.Fatalf("only %d reasons were found", len(used))
	}
	for reason := range used {
		if !explained[reason] {
			t.Errorf("docs/saml.md does not explain %s", reason)
		}
	}
	for reason := range explained {
		if !used[reason] {
			t.Errorf("docs/saml.md explains %s, which nothing refuses with", reason)
		}
	}
}
