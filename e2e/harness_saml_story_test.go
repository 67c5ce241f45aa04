package e2e

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The hosts of a story: a portal and two apps, each of a domain of its own but
// for the first app, which is the portal's neighbour. The provider is on a
// fourth domain.
const (
	portalHost = "login.example.test"
	wikiHost   = "wiki.example.test"
	toolsHost  = "tools.other.test" // takes the provider's sign-in alone
)

// ssoSites is what a story runs. SETTINGS are options of the global block,
// SAML of the provider's.
const ssoSites = `
{
	GLOBAL
	sallyport {
		name    "Example Inc."
		support it@example.com
		portal  {$PORTAL}
		password {
			argon2id 19MiB 2 1
			parallel 2
		}
		limits {
			forms 100000 1m
		}
		SETTINGS
		saml partner {
			metadata {$METADATA}
			title    "Partner Ltd."
			DOMAINS
			attributes {
				user   uid
				email  mail
				name   displayName
				groups groups
			}
			group "maths & engines" engineers
			SAML
		}
	}
}
login.example.test {
	log {
		output file {$DIR}/access-login.log
	}
	sallyport_portal
}
wiki.example.test {
	log {
		output file {$DIR}/access-wiki.log
	}
	sallyport {
		title "Wiki"
	}
	reverse_proxy {$APP}
}
tools.other.test {
	sallyport {
		title    "Tools"
		provider partner
	}
	reverse_proxy {$APP}
}
`

// An ssoStory is a provider and the gateway where its people sign in.
type ssoStory struct {
	t   *testing.T
	p   *identityProvider
	g   *gateway
	app *app
	b   *browser

	file     string // the provider's metadata as the gateway reads it
	config   string
	metadata string // the gateway's own
}

// ssoSetup is what differs between stories.
type ssoSetup struct {
	global    string // Caddy's global options
	settings  string // of the global block
	saml      string // of the provider's block
	noDomains bool
	trust     spSettings
	// alter changes the provider's metadata before the gateway reads it.
	alter func(string) string
	// quiet: no browser is started.
	quiet bool
}

func (s ssoSetup) config(p *identityProvider) string {
	domains := "domains partner.test"
	if s.noDomains {
		domains = ""
	}
	return strings.NewReplacer("GLOBAL", s.global, "SETTINGS", s.settings, "DOMAINS", domains, "SAML", s.saml).Replace(ssoSites) + p.Site()
}

// startSSO starts a gateway that knows the provider by a file, makes the
// provider trust it, and a browser.
func startSSO(t *testing.T, p *identityProvider, setup ssoSetup) *ssoStory {
	t.Helper()
	s := &ssoStory{t: t, p: p, app: startApp(t), config: setup.config(p)}
	known := func(g *gateway) { // after withHTTPS: the provider's name has the port
		p.Behind(g)
		s.file = p.MetadataFile()
		if setup.alter != nil {
			p.file("metadata.xml", setup.alter(string(p.Metadata())))
		}
		// A provider that stands beside it: nobody signs in there.
		supplier := p.file("supplier.xml", strings.Replace(string(p.Metadata()), p.EntityID, "https://supplier.test/", 1))
		g.env = append(g.env, "METADATA="+s.file, "SUPPLIER="+supplier)
	}
	s.g = startGateway(t, s.config, withApp(s.app), withHTTPS(nodeIP()), withPortal(portalHost), known)
	s.waitKnown()
	s.metadata = newClient(t, s.g, portalHost).Get("/saml/partner/metadata").Body
	p.Trust(s.metadata, setup.trust)
	if !setup.quiet {
		s.b = startBrowser(t, trusting(s.g))
	}
	return s
}

// providers start the two identity providers.
var providers = map[string]func(testing.TB, ...idpOption) *identityProvider{
	"SimpleSAMLphp": startSimpleSAML, "samlp": startSAMLP,
}

// eachProvider runs a story with each of the two providers.
func eachProvider(t *testing.T, setup ssoSetup, story func(*testing.T, *ssoStory)) {
	t.Parallel()
	for name, start := range providers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, startSSO(t, start(t), setup))
		})
	}
}

// withBothProviders runs a story with the two providers at the same time, for
// one that mostly waits: it takes no test's place meanwhile but its own.
func withBothProviders(t *testing.T, setup ssoSetup, story func(*testing.T, *ssoStory)) {
	t.Parallel()
	var both sync.WaitGroup
	for name, start := range providers {
		both.Go(func() {
			t.Run(name, func(t *testing.T) { story(t, startSSO(t, start(t), setup)) })
		})
	}
	both.Wait()
}

// waitKnown waits until the gateway has read the provider's metadata, which it
// does in the background.
func (s *ssoStory) waitKnown() {
	s.t.Helper()
	c := newClient(s.t, s.g, portalHost)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if got := c.Open("/saml/partner/login"); got.Status == http.StatusOK && (got.URL.Hostname() == s.p.Host || got.URL.Path == "/sso") {
			return
		} else if time.Now().After(deadline) {
			s.t.Fatalf("the provider is not known within 30 s: %s %d %q\n%s", got.URL, got.Status, got.Heading(), s.g.Log())
		}
	}
}

func (s *ssoStory) portal(path string) string { return s.g.URL(portalHost, path) }
func (s *ssoStory) wiki(path string) string   { return s.g.URL(wikiHost, path) }
func (s *ssoStory) tools(path string) string  { return s.g.URL(toolsHost, path) }

// another is a browser with cookies of its own.
func (s *ssoStory) another() *ssoStory {
	s.t.Helper()
	other := *s
	other.b = s.b.Another()
	return &other
}

// withoutScripts is another browser, with JavaScript off.
func (s *ssoStory) withoutScripts() *ssoStory {
	s.t.Helper()
	other := s.another()
	other.b.scripts = false
	if _, err := chromedp.Call(other.b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		s.t.Fatal(err)
	}
	return other
}

// ways runs a part of a story with and without JavaScript.
func (s *ssoStory) ways(part func(t *testing.T, s *ssoStory)) {
	s.t.Helper()
	for name, begin := range map[string]func() *ssoStory{"scripts": s.another, "no scripts": s.withoutScripts} {
		s.t.Run(name, func(t *testing.T) {
			other := begin()
			other.t = t
			part(t, other)
		})
	}
}

// goTo opens an address that may lead on by itself, and waits until a page
// shows whose address has to in it.
func (s *ssoStory) goTo(address, to string) {
	s.t.Helper()
	s.b.leave("open "+address, to, func() { s.b.do("open "+address, chromedp.Navigate(address)) })
	s.p.excuse(s.b)
}

// toProvider opens an address of an app signed out, and says an address of the
// provider's domain; the browser is at the provider then.
func (s *ssoStory) toProvider(address, identifier string) {
	s.t.Helper()
	s.b.Open(address)
	if !strings.HasPrefix(s.b.URL(), s.portal("/sign-in")) || s.b.Has("#password") {
		s.t.Fatalf("signed out: %s", s.b.describe())
	}
	s.b.Type("#username", identifier)
	s.b.ClickTo("main button.main", s.p.URL("/"))
}

// signIn does that and signs in there, up to the address.
func (s *ssoStory) signIn(user, address string) {
	s.t.Helper()
	s.toProvider(address, user+"@partner.test")
	s.p.SignIn(s.b, user, address)
	if s.b.URL() != address || s.b.Text("#user") != user {
		s.t.Fatalf("after signing in as %s: %s", user, s.b.describe())
	}
}

// signedIn reports whether an address of an app shows to the browser's person.
func (s *ssoStory) signedIn(address string) bool {
	s.t.Helper()
	s.b.Open(address)
	return s.b.Has("#user")
}

// problem fails unless the browser shows the problem page of a kind, and
// returns its reference.
func (s *ssoStory) problem(kind, heading string) (reference string) {
	s.t.Helper()
	u, err := url.Parse(s.b.URL())
	if err != nil || u.Path != "/sso/problem" || u.Query().Get("kind") != kind || s.b.Heading() != heading {
		s.t.Fatalf("not the problem %q: %s", kind, s.b.describe())
	}
	reference = u.Query().Get("reference")
	if reference == "" || !strings.Contains(s.b.Text("main"), reference) {
		s.t.Errorf("the page does not show the reference %q: %s", reference, s.b.describe())
	}
	return reference
}

// audit waits for an event with the name, as the command finds it.
func (s *ssoStory) audit(name string, args ...string) auditEvent {
	s.t.Helper()
	out := ""
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var err error
		if out, err = s.g.Run("", append([]string{"audit", "--json", "--limit", "200"}, args...)...); err != nil {
			s.t.Fatal(err)
		}
		for _, e := range eventsOf(s.t, out) {
			if e.Event == name {
				return e
			}
		}
	}
	s.t.Fatalf("no event %s of %v:\n%s", name, args, out)
	return auditEvent{}
}

// refused fails unless the audit, asked for a reference, gives the reason.
func (s *ssoStory) refused(reference, reason string) {
	s.t.Helper()
	if e := s.audit("sso_refused", "--id", reference); e.Method != "partner" || !strings.HasPrefix(e.Reason, reason) {
		s.t.Errorf("the audit gives for %s: %+v, want the reason %s", reference, e, reason)
	}
}

// A hop is one request as it left the browser.
type hop struct {
	Method, URL string
	Header      map[string]string // names in lower case
	Body        string
	// Kept are cookies that the browser has for the address and did not send,
	// with the reasons.
	Kept map[string]string
}

// wire records requests of documents.
type wire struct {
	mu    sync.Mutex
	asked map[network.RequestID][]*network.EventRequestWillBeSent
	extra map[network.RequestID][]*network.EventRequestWillBeSentExtraInfo
	order []network.RequestID
}

// record begins to record what the browser sends.
func (b *browser) record() *wire {
	b.t.Helper()
	w := &wire{
		asked: map[network.RequestID][]*network.EventRequestWillBeSent{},
		extra: map[network.RequestID][]*network.EventRequestWillBeSentExtraInfo{},
	}
	err := chromedp.Listen(b.ctx, func(event any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if len(w.asked[e.RequestID]) == 0 {
				w.order = append(w.order, e.RequestID)
			}
			w.asked[e.RequestID] = append(w.asked[e.RequestID], e)
		case *network.EventRequestWillBeSentExtraInfo:
			w.extra[e.RequestID] = append(w.extra[e.RequestID], e)
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

// hops are the requests so far. A redirect goes on under the same id, so the
// two kinds of events belong together by their order.
func (w *wire) hops() (out []hop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.order {
		for i, e := range w.asked[id] {
			h := hop{Method: e.Request.Method, URL: e.Request.URL, Header: map[string]string{}, Kept: map[string]string{}}
			for _, part := range e.Request.PostDataEntries {
				h.Body += string(part.Bytes)
			}
			if i < len(w.extra[id]) {
				for name, value := range w.extra[id][i].Headers {
					h.Header[strings.ToLower(name)] = fmt.Sprint(value)
				}
				for _, c := range w.extra[id][i].AssociatedCookies {
					if len(c.BlockedReasons) > 0 {
						h.Kept[c.Cookie.Name] = fmt.Sprint(c.BlockedReasons)
					}
				}
			}
			out = append(out, h)
		}
	}
	return out
}

// to gives the last request with the method whose address begins so.
func (w *wire) to(t testing.TB, method, address string) hop {
	t.Helper()
	all := w.hops()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Method == method && strings.HasPrefix(all[i].URL, address) {
			return all[i]
		}
	}
	t.Fatalf("no %s %s among %d requests", method, address, len(all))
	return hop{}
}

// answer is the provider's last answer as the browser posted it.
func (w *wire) answer(t testing.TB, acs string) (got samlResponse) {
	t.Helper()
	form, err := url.ParseQuery(w.to(t, http.MethodPost, acs).Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
	if err == nil {
		err = xml.Unmarshal(text, &got)
	}
	if err != nil {
		t.Fatalf("the answer posted: %v\n%s", err, text)
	}
	return got
}

// hold answers every request to the host with "204 No Content", so that the
// page that leads there stays. The function that it returns lets them through
// again.
func (b *browser) hold(host string) (release func()) {
	b.t.Helper()
	err := chromedp.Listen(b.ctx, func(event any) {
		e, ok := event.(*fetch.EventRequestPaused)
		if !ok {
			return
		}
		go func() { // an answer from within would wait for itself
			_, _ = chromedp.Call(b.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{RequestID: e.RequestID, ResponseCode: http.StatusNoContent})
		}()
	})
	if err == nil {
		_, err = chromedp.Call(b.ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "https://" + host + "*"}}})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return func() {
		if _, err := chromedp.Call(b.ctx, fetch.Disable, cdp.Empty{}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// historyLength is how many pages the browser's Back and Forward know.
func (b *browser) historyLength() int {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	history, err := chromedp.Call(ctx, page.GetNavigationHistory, cdp.Empty{})
	if err != nil {
		b.t.Fatal(err)
	}
	return len(history.Entries)
}
