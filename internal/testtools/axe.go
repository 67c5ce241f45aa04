package testtools

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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

// AxeSource is the script of axe-core, the accessibility checker, fetched by npm
// once and then kept in the user's cache. In a page it makes the object axe.
func AxeSource(t testing.TB) string {
	t.Helper()
	npm := Need(t, "npm")
	axe.Do(func() { axe.source, axe.err = fetchAxe(npm) })
	if axe.err != nil {
		t.Fatal(axe.err)
	}
	return strings.TrimSpace(axe.source)
}

func fetchAxe(npm string) (string, error) {
	modules, err := NPMModules(npm, "axe-"+axeVersion, nil, "install", "axe-core@"+axeVersion)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if err != nil {
		return "", err
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != axeSum {
		return "", fmt.Errorf("%s: axe-core %s is not the file that this test knows", modules, axeVersion)
	}
	return string(text), nil
}

// AxeRun is an expression for a page with axe in it: a promise of one line for
// each violation.
const AxeRun = `axe.run(document, {preload: false, resultTypes: ['violations'], runOnly: {type: 'tag',
	values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}}).then(r =>
	r.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join(' | ')))`
