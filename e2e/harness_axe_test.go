package e2e

import "github.com/sallyport-auth/sallyport/internal/testtools"

// Axe gives the accessibility faults of the page as it shows now.
func (b *browser) Axe() []string {
	b.t.Helper()
	if b.eval("typeof axe") != "object" {
		// Not subject to the page's policy, and gone with the page.
		b.eval(testtools.AxeSource(b.t) + "; 0")
	}
	return Eval[[]string](b, testtools.AxeRun)
}
