package pages

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

var screenshots = flag.String("screenshots", "", "save pictures of every page, with every problem that it can show, in this folder")

// screen is what a page is looked at on.
type screen struct {
	width  int64
	scheme string
}

// lengthy are names as long as people have them.
var lengthy = sample{
	account: "bartholomew.featherstonehaugh-cholmondeley@department-of-works.example.com",
	other:   "maximiliane-henriette.von-und-zu-hohenstein@international-partner.example",
	label:   "Bartholomew's second telephone, the one in the office", app: "Reisekostenabrechnungsgenehmigungsverfahren",
	host: "travel-expenses.internal.department-of-works.example.com", org: "Donaudampfschifffahrtsgesellschaft mbH and Partners",
	entry: "Example portal:bartholomew.featherstonehaugh-cholmondeley@department-of-works.example.com", number: "+44 (0) 7700 / 900 982",
	ending: "82", browser: "Samsung Internet on Android tablet", network: "2001:db8:85a3:1234::/64", token: strings.Repeat("8f3a2c91", 6),
}

// TestEveryPageFitsANarrowScreen, with our style and without scrolling
// sideways, however long the names in it are.
func TestEveryPageFitsANarrowScreen(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	for _, w := range []sample{lifelike, lengthy} {
		g := newGallery(t, w, false)
		g.on(screen{320, "light"})
		for name := range g.views {
			g.open(name)
		}
	}
}

// TestEveryPageIsAccessible: no violation of axe's rules, with all problems that
// a page can show too. `make screenshots` asks the same of each problem alone.
func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	g := newGallery(t, lifelike, false)
	for _, s := range []screen{{320, "light"}, {1280, "dark"}} {
		g.on(s)
		for name := range g.views {
			g.accessible(name)
		}
	}
}

// accessible opens a view and fails the test where axe finds something.
func (g *gallery) accessible(name string) {
	g.t.Helper()
	g.look(name, testtools.AxeSource(g.t)+"; ''") // not subject to the page's policy
	found, err := chromedp.Run(g.tab, chromedp.Evaluate[[]string](testtools.AxeRun, chromedp.EvalAwaitPromise))
	if err != nil {
		g.t.Fatalf("%s: %v", name, err)
	}
	for _, violation := range found {
		g.t.Errorf("%s: %s", name, violation)
	}
}

// wider makes a page of one in a language that is read from right to left and
// needs 40 % more room than English.
const wider = `document.documentElement.dir = "rtl";
	for (const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); words.nextNode();) {
		const word = words.currentNode;
		if (word.data.trim() && !word.parentElement.closest("[translate=no]")) word.data = word.data.replace(/\S+/g, w => w + w.slice(0, Math.ceil(w.length * .4)));
	}
	`

// TestEveryPageFitsANarrowScreenInAWiderLanguage: A11 of the assertions.
func TestEveryPageFitsANarrowScreenInAWiderLanguage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	g := newGallery(t, lifelike, false)
	g.on(screen{320, "light"})
	for name := range g.views {
		if found := g.look(name, wider+faults); found != "" {
			t.Errorf("%s %s", name, found)
		}
	}
}

// TestScreenshots takes pictures of everything (make screenshots); the folder
// is for a look at them, side by side.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		return
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	g := newGallery(t, lifelike, true)
	for _, s := range []screen{{320, "light"}, {320, "dark"}, {1280, "light"}, {1280, "dark"}} {
		g.on(s)
		for name := range g.views {
			g.accessible(name)
			g.open(name)
			g.picture(filepath.Join(*screenshots, name+"-"+strconv.FormatInt(s.width, 10)+"-"+s.scheme+".png"))
		}
	}
}

// gallery is a browser on a server that shows each view under its name.
type gallery struct {
	t      *testing.T
	tab    context.Context
	pages  *Set
	views  map[string]View
	server *httptest.Server
}

// newGallery shows every view as it is and with all its problems; apart also
// with each of them alone.
func newGallery(t *testing.T, w sample, apart bool) *gallery {
	t.Helper()
	g := &gallery{t: t, tab: chromium(t), pages: newSet(t), views: map[string]View{}}
	// Nothing leaves for the identity provider by itself.
	_, err := chromedp.Call(g.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: "HTMLFormElement.prototype.requestSubmit = () => {}",
	})
	if err != nil {
		t.Fatal(err)
	}
	g.server = httptest.NewServer(g)
	t.Cleanup(g.server.Close)
	w.portal = g.server.URL
	for _, x := range fixtures(w) {
		g.views[x.name] = x.view
		if x.with == nil {
			continue
		}
		g.views[x.name+"+problems"] = x.with(x.problems...)
		for i, p := range x.problems {
			if apart {
				g.views[x.name+"+"+strconv.Itoa(i+1)+"-"+p.Key] = x.with(p)
			}
		}
	}
	return g
}

func (g *gallery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/assets/") {
		g.pages.Assets().ServeHTTP(w, r)
		return
	}
	view, ok := g.views[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if err := g.pages.Write(w, http.StatusOK, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// on changes to another screen.
func (g *gallery) on(s screen) {
	g.t.Helper()
	_, err := chromedp.Call(g.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}},
	})
	if err == nil {
		err = chromedp.Do(g.tab, chromedp.EmulateViewport(s.width, 800))
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// faults of the page that is open: what does not fit, and a style that is not
// ours. The colour of the page is that of the style sheet's token.
const faults = `(() => {
	const root = document.documentElement, style = getComputedStyle(document.body), probe = document.createElement("p"), list = [];
	probe.style.color = getComputedStyle(root).getPropertyValue("--page");
	document.body.append(probe);
	const page = getComputedStyle(probe).color;
	probe.remove();
	if (root.scrollWidth > innerWidth) list.push("scrolls sideways: " + root.scrollWidth + " px on " + innerWidth);
	if (!document.styleSheets.length) list.push("has no style sheet");
	if (!style.fontFamily.includes("system-ui")) list.push("is set in " + style.fontFamily);
	if (style.backgroundColor != page) list.push("stands on " + style.backgroundColor);
	return list.join("; ");
})()`

// open shows a view and fails the test where it does not look as it should.
func (g *gallery) open(name string) {
	g.t.Helper()
	if found := g.look(name, faults); found != "" {
		g.t.Errorf("%s %s", name, found)
	}
}

// look opens a page and asks it something.
func (g *gallery) look(name, question string) string {
	g.t.Helper()
	if err := chromedp.Do(g.tab, chromedp.Navigate(g.server.URL+"/"+name)); err != nil {
		g.t.Fatalf("%s: %v", name, err)
	}
	answer, err := chromedp.Run(g.tab, chromedp.Evaluate[string](question))
	if err != nil {
		g.t.Fatalf("%s: %v", name, err)
	}
	return answer
}

func TestPagesThatLookWrongAreSeen(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	g := newGallery(t, lifelike, false)
	g.on(screen{320, "light"})
	for question, want := range map[string]string{
		`document.body.style.minWidth = "321px"; ` + faults:          "scrolls sideways",
		`document.querySelector("link").remove(); ` + faults:         "has no style sheet",
		`document.body.style.fontFamily = "serif"; ` + faults:        "is set in serif",
		`document.body.style.background = "rgb(1, 2, 3)"; ` + faults: "stands on rgb(1, 2, 3)",
	} {
		if found := g.look("signin", question); !strings.Contains(found, want) {
			t.Errorf("found %q, want %q", found, want)
		}
	}
}

// picture saves the whole page.
func (g *gallery) picture(file string) {
	g.t.Helper()
	png, err := chromedp.Run(g.tab, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(file, png, 0o600)
	}
	if err != nil {
		g.t.Fatal(err)
	}
}
