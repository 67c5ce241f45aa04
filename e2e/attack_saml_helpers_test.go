package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// federated is what every node runs in the attacks on SAML: a portal, an app
// that asks for two factors and one that a password alone opens, and two
// identity providers that have a domain each.
const federated = `
{
	sallyport {
		portal      {$PORTAL}
		database    postgres {$DATABASE}
		sessions    redis redis://{$REDIS}
		keys        {$RING}
		break_glass rescue boss@partner.test
		saml partner {
			metadata {$PARTNER}
			title    "Partner Ltd"
			domains  partner.test
			group    engineers builders
			attributes {
				user   uid
				email  mail
				name   displayName
				groups groups
			}
		}
		saml third {
			metadata {$THIRD}
			title    "Third House"
			domains  third.test
			attributes {
				email  mail
				name   displayName
				groups groups
			}
		}
		password {
			argon2id 19MiB 2 1
			parallel 2
		}
		{$LIMITS}
	}
}
login.test {
	sallyport_portal
}
app.test {
	sallyport
	reverse_proxy {$APP}
}
easy.test {
	sallyport {
		require password
	}
	reverse_proxy {$APP}
}
`

// A federation is two nodes on Redis and PostgreSQL, and two SimpleSAMLphp.
type federation struct {
	cluster
	partner, third *identityProvider
	sql            *cable // between the nodes and PostgreSQL
	// stored counts the events that were stored before a crash, by name.
	stored map[string]int
}

// unlimited are limits that a test is not about.
const unlimited = "limits {\n forms 100000 1m\n password_network 100000 10m\n }"

// startFederation starts all of it. Each provider trusts the gateway by the
// metadata that the gateway publishes.
func startFederation(t *testing.T, limits string, partner, third []idpUser) federation {
	t.Helper()
	f := federation{cluster: cluster{app: startApp(t), redis: testtools.Redis(t)}, stored: map[string]int{}}
	f.partner = startSimpleSAML(t, atHost("idp.partner.test"), withUsers(partner...))
	f.third = startSimpleSAML(t, atHost("idp.third.test"), withUsers(third...))
	dsn := testtools.Postgres(t).NewDatabase(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	f.sql = startCable(t, u.Host)
	u.Host = f.sql.Addr
	ring := filepath.Join(shortDir(t), "keys")
	text := strings.Replace(federated, "{$LIMITS}", limits, 1) + f.partner.Site() + f.third.Site()
	port := 0
	for i := range f.nodes {
		prepare := func(g *gateway) {
			if port > 0 {
				g.Port = port
			}
			for name, p := range map[string]*identityProvider{"PARTNER": f.partner, "THIRD": f.third} {
				p.Behind(g)
				g.env = append(g.env, name+"="+p.MetadataFile())
			}
		}
		f.nodes[i] = startGateway(t, text, withApp(f.app), withHTTPS(nodeIP()), prepare, withPortal("login.test"),
			withEnv("DATABASE", u.String()), withEnv("REDIS", f.redis.Addr), withEnv("RING", ring))
		port = f.nodes[i].Port
	}
	for _, p := range []*identityProvider{f.partner, f.third} {
		p.Trust(f.metadata(t, f.nodes[0], f.named(p)), spSettings{})
	}
	for _, g := range f.nodes {
		f.ready(t, g)
	}
	t.Cleanup(func() { noPanic(t, f.nodes[:]...) })
	return f
}

// named is what the configuration calls a provider.
func (f federation) named(p *identityProvider) string {
	if p == f.third {
		return "third"
	}
	return "partner"
}

// metadata is what a node publishes for a provider, once it does.
func (f federation) metadata(t *testing.T, g *gateway, provider string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		a := newClient(t, g, "login.test").Get("/saml/" + provider + "/metadata")
		if a.Status == http.StatusOK {
			return a.Body
		}
		if time.Now().After(deadline) {
			t.Fatalf("the metadata for %s: %d %s", provider, a.Status, a.Body)
		}
	}
}

// ready waits until a node knows both providers: it reads their metadata soon
// after it has begun to serve.
func (f federation) ready(t *testing.T, g *gateway) {
	t.Helper()
	for _, provider := range []string{"partner", "third"} {
		c := newClient(t, g, "login.test", fromAddress("127.0.6.6")) // these count as forms
		for deadline := time.Now().Add(20 * time.Second); c.button(provider).Status != http.StatusOK; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("a node cannot ask %s 20 s after it has begun to serve", provider)
			}
		}
	}
}

// An idpAnswer is what a provider's page would make the browser post.
type idpAnswer struct {
	ACS, Response, State string
	Flow                 string // of the gateway's, where it was asked
}

func (i idpAnswer) form() url.Values {
	form := url.Values{"SAMLResponse": {i.Response}}
	if i.State != "" {
		form.Set("RelayState", i.State)
	}
	return form
}

// inputs finds the form that has a field of the name, wherever it leads.
func (a *answer) inputs(name string) (action string, fields url.Values) {
	a.t.Helper()
	for n := range a.document().Descendants() {
		if n.Data != "form" {
			continue
		}
		fields := url.Values{}
		for i := range n.Descendants() {
			if i.Data == "input" && attribute(i, "name") != "" {
				fields.Set(attribute(i, "name"), attribute(i, "value"))
			}
		}
		if fields.Has(name) {
			u, err := a.URL.Parse(attribute(n, "action"))
			if err != nil {
				a.t.Fatal(err)
			}
			return u.String(), fields
		}
	}
	return "", nil
}

// half opens the app, gives an address of the provider's domain, and returns
// the gateway's page that leads to the provider.
func (c *client) half(address, email string) *answer {
	c.t.Helper()
	page := c.Open(address)
	page = c.Get(c.Submit(page, "/sign-in", map[string]string{"username": email}).Location())
	if !strings.HasSuffix(page.URL.Path, "/sso") || page.Status != http.StatusOK {
		c.t.Fatalf("%s leads to %s (%d, %q)", email, page.URL, page.Status, page.Heading())
	}
	return page
}

// button begins a sign-in at the provider's own address of the portal.
func (c *client) button(provider string) *answer {
	c.t.Helper()
	a := c.Get(c.g.URL("login.test", "/saml/"+provider+"/login"))
	if a.Location() == "" {
		return a
	}
	return c.Get(a.Location())
}

// answered walks through the provider's pages from the one that leads there,
// signs in where it asks, and returns what its last page would post.
func (c *client) answered(p *identityProvider, user string, from *answer) idpAnswer {
	c.t.Helper()
	page := c.Follow(from)
	if action, fields := page.inputs("password"); fields != nil {
		fields.Set("username", user)
		fields.Set("password", p.User(user).Password)
		page = c.Follow(c.Post(action, fields))
	}
	action, fields := page.inputs("SAMLResponse")
	if fields == nil {
		c.t.Fatalf("%s: at %s (%d): no answer:\n%.3000s", p.Host, page.URL, page.Status, page.Body)
	}
	return idpAnswer{ACS: action, Response: fields.Get("SAMLResponse"), State: fields.Get("RelayState"), Flow: from.URL.Query().Get("flow")}
}

// delivered posts an answer as the provider's page does: from another site,
// with no cookie of ours.
func (i idpAnswer) delivered(t *testing.T, g *gateway, opts ...clientOption) *answer {
	t.Helper()
	return newClient(t, g, "login.test", opts...).Post(i.ACS, i.form(), "Sec-Fetch-Site: cross-site", "Origin: https://idp.partner.test")
}

// completes reports whether an answer of the consumer leads on with a key.
func completes(a *answer) bool {
	u, err := url.Parse(a.Location())
	return err == nil && a.Status == http.StatusSeeOther && strings.HasSuffix(u.Path, "/sso/complete") && u.Query().Get("answer") != ""
}

// problem is the kind in the address of the page about a refused answer; "" for
// anything else.
func problem(a *answer) string {
	u, err := url.Parse(a.Location())
	if err != nil || a.Status != http.StatusSeeOther || !strings.HasSuffix(u.Path, "/sso/problem") {
		return ""
	}
	return u.Query().Get("kind")
}

// enter signs somebody in at an app through their provider, whatever that takes,
// and returns the page where it ends.
func (c *client) enter(p *identityProvider, user, address, email string) *answer {
	c.t.Helper()
	got := c.answered(p, user, c.half(address, email))
	a := got.delivered(c.t.(*testing.T), c.g)
	return c.Follow(a)
}

// user is whom the app takes the browser for, "" for nobody.
func (f federation) user(c *client) string {
	c.t.Helper()
	var a *answer
	if !f.app.passes(func() { a = c.Get(c.g.URL("app.test", "/who")) }) || a.Status != http.StatusOK {
		return ""
	}
	return a.Text("user")
}

// An ssoAccount is what operators see of an account.
type ssoAccount struct {
	Name, Email, Provider string
	Groups                []string
	Disabled              bool
	LastSignIn            time.Time `json:"last_sign_in"`
}

// accounts are all accounts, as an operator's list has them.
func (f federation) accounts(t *testing.T) map[string]ssoAccount {
	t.Helper()
	var list struct{ Accounts []ssoAccount }
	f.json(t, &list, "account", "list")
	all := map[string]ssoAccount{}
	for _, a := range list.Accounts {
		all[a.Name] = a
	}
	return all
}

// sessions is how many sessions an account has, if there is such an account.
func (f federation) sessions(t *testing.T, name string) int {
	t.Helper()
	var list struct{ Sessions []struct{ Account string } }
	f.json(t, &list, "session", "list")
	n := 0
	for _, s := range list.Sessions {
		if s.Account == name {
			n++
		}
	}
	return n
}

// audited are the events of the kinds that are awaited, newest first, once all
// are stored that the nodes have counted so far.
func (f federation) audited(t *testing.T) []auditEvent {
	t.Helper()
	want := maps.Clone(f.stored)
	for _, g := range f.nodes {
		text := metrics(t, g)
		for _, event := range awaited {
			want[event] += figureIn(t, text, `sallyport_audit_events_total{event="`+event+`"}`)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		var list struct{ Events []auditEvent }
		f.json(t, &list, "audit", "--limit", "1000")
		lacking := ""
		for event, n := range counts(list.Events) {
			if n < want[event] {
				lacking = fmt.Sprintf("%d %s of %d", n, event, want[event])
			}
		}
		if lacking == "" {
			return slices.DeleteFunc(list.Events, func(e auditEvent) bool { return !slices.Contains(awaited, e.Event) })
		}
		if time.Now().After(deadline) {
			t.Fatalf("stored within 20 s: %s", lacking)
		}
	}
}

// awaited are the kinds of events that audited waits for.
var awaited = []string{"sso_refused", "break_glass_used"}

// counts are how many there are of each awaited kind.
func counts(events []auditEvent) map[string]int {
	n := map[string]int{}
	for _, event := range awaited {
		n[event] = 0
	}
	for _, e := range events {
		if _, is := n[e.Event]; is {
			n[e.Event]++
		}
	}
	return n
}

// crash kills both nodes and starts them again.
func (f federation) crash(t *testing.T) {
	t.Helper()
	maps.Copy(f.stored, counts(f.audited(t)))
	for _, g := range f.nodes {
		g.Kill()
	}
	for _, g := range f.nodes {
		g.Restart()
		f.ready(t, g)
	}
}

// remembered makes sure that the nodes of the browsers have the sessions in
// memory, from where they are let in without a look into a store.
func (f federation) remembered(t *testing.T, user string, browsers ...*client) {
	t.Helper()
	for range 2 { // from the stores, then from memory
		for _, b := range browsers {
			if got := f.user(b); got != user {
				t.Fatalf("%q is signed in, not %q", got, user)
			}
		}
	}
}

// gone fails where a node lets a browser in by a request that began more than
// two seconds after this was called.
func (f federation) gone(t *testing.T, what string, browsers ...*client) {
	t.Helper()
	began := time.Now()
	for _, b := range browsers {
		for asked := time.Now(); f.user(b) != ""; asked = time.Now() {
			if asked.Sub(began) > 2*time.Second {
				t.Fatalf("signed in two seconds after %s", what)
			}
		}
	}
}

// refusals counts the events of refused answers by the first word of the reason.
func (f federation) refusals(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, e := range f.audited(t) {
		if e.Event == "sso_refused" {
			reason, _, _ := strings.Cut(e.Reason, ":")
			n[reason]++
		}
	}
	return n
}

func (f federation) json(t *testing.T, to any, args ...string) {
	t.Helper()
	out, err := f.nodes[0].Run("", append(args, "--json")...)
	if err == nil {
		err = json.Unmarshal([]byte(out), to)
	}
	if err != nil {
		t.Fatalf("sallyport %v: %v\n%s", args, err, out)
	}
}

// A cable passes connections on until it is cut: a server of which everybody
// else still has the use is away for those behind it.
type cable struct {
	Addr string

	to   string
	mu   sync.Mutex
	cut  bool
	open map[net.Conn]bool
}

func startCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &cable{Addr: l.Addr().String(), to: to, open: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); r.Cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.pass(c)
		}
	}()
	return r
}

func (r *cable) pass(c net.Conn) {
	defer c.Close()
	far, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer far.Close()
	r.mu.Lock()
	gone := r.cut
	r.open[c], r.open[far] = true, true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.open, c)
		delete(r.open, far)
		r.mu.Unlock()
	}()
	if gone {
		return
	}
	go func() {
		_, _ = io.Copy(far, c)
		far.Close()
	}()
	_, _ = io.Copy(c, far)
}

// Cut ends all connections and lets no new one live.
func (r *cable) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
	for c := range r.open {
		c.Close()
	}
}

// Mend passes new connections on again.
func (r *cable) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = false
}
