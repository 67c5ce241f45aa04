package e2e

import (
	"net/http"
	"testing"
)

// badPage breaks what each letter asserts.
const badPage = `<!doctype html><title>Bad</title><body style="margin:0"><div style="width:2000px">wide</div>
<div class="summary" tabindex="-1"><ul><li><a href="#nothing">Wrong</a></li></ul></div>
<a href="#" onclick="x()" style="outline:none">a</a><input name="username" placeholder="x" type="number">
<button tabindex="3" style="border:0;outline:none">b</button><img src="http://127.0.0.2:9/x.png">`

// TestAssertionsSeeWhatIsWrong: none of the list is one that cannot fail.
func TestAssertionsSeeWhatIsWrong(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	a.Handle(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(badPage))
		return true
	})
	b := startBrowser(t)
	for _, assertion := range assertions {
		b.Open("http://" + a.Addr + "/")
		b.View(320, "light")
		faults := 0
		w := &pageWalk{t: t, b: b, full: true, titles: map[string]string{}, origins: []string{"http://" + a.Addr}}
		assertion.holds(&lookedAt{w, []string{"username"}, 320, func(string, ...any) { faults++ }})
		if faults == 0 {
			t.Errorf("%s (%s) finds nothing wrong", assertion.letter, assertion.says)
		}
	}
}
