package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// The accessibility checker: only tests use it, nothing of it is shipped or
// kept in the repository.
const (
	axeVersion = "4.14.1"
	axeSum     = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
)

var axe struct {
	sync.Once
	source string
	err    error
}

// axeSource is the checker's script, fetched by npm once and then kept in the
// user's cache.
func axeSource(t testing.TB) string {
	t.Helper()
	npm := testtools.Need(t, "npm")
	axe.Do(func() { axe.source, axe.err = fetchAxe(npm) })
	if axe.err != nil {
		t.Fatal(axe.err)
	}
	return axe.source
}

func fetchAxe(npm string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	kept := filepath.Join(cache, "sallyport-tests", "axe-"+axeVersion+".min.js")
	if text, err := os.ReadFile(kept); err == nil && rightAxe(text) {
		return string(text), nil
	}
	dir, err := os.MkdirTemp("", "sallyport-axe-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command(npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "axe-core@"+axeVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm: %w\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		return "", err
	}
	if !rightAxe(text) {
		return "", fmt.Errorf("axe-core %s is not the file that this test knows", axeVersion)
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return "", err
	}
	return string(text), os.WriteFile(kept, text, 0o600)
}

func rightAxe(text []byte) bool {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]) == axeSum
}

// axeRun gives one line for each violation.
const axeRun = `axe.run(document, {preload: false, resultTypes: ['violations'], runOnly: {type: 'tag',
	values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}}).then(r =>
	r.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join(' | ')))`

// Axe gives the accessibility faults of the page as it shows now.
func (b *browser) Axe() []string {
	b.t.Helper()
	if b.eval("typeof axe") != "object" {
		// Not subject to the page's policy, and gone with the page.
		b.eval(strings.TrimSpace(axeSource(b.t)) + "; 0")
	}
	return Eval[[]string](b, axeRun)
}
