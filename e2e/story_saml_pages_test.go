package e2e

import (
	"strings"
	"testing"
)

// Every page about identity providers, looked at as walkPages does.
func TestEveryProviderPageIsAccessible(t *testing.T) {
	t.Parallel()
	walkProviderPages(t, true)
}

func TestEveryProviderPageWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	walkProviderPages(t, false)
}

// longNamed is a second provider, with a button and a name that needs room.
const longNamed = `
		session {
			reauthenticate 5s
		}
		saml supplier {
			metadata {$SUPPLIER}
			title    "Suppliers & Sons of Llanfairpwllgwyngyllgogerychwyrndrobwll"
			idp_initiated on
		}
`

// providerWalk is a pageWalk beside a provider.
type providerWalk struct {
	*ssoStory
	w *pageWalk
}

func startProviderWalk(t *testing.T, scripts bool, setup ssoSetup) *providerWalk {
	s := startSSO(t, startSimpleSAML(t), setup)
	if !scripts {
		s = s.withoutScripts()
	}
	return &providerWalk{s, &pageWalk{
		t: t, b: s.b, g: s.g, full: scripts, titles: map[string]string{},
		origins: []string{s.portal("/"), s.wiki("/"), s.tools("/"), s.p.URL("/")},
	}}
}

// look looks at the page that shows; what the provider's pages did before is
// not its.
func (p *providerWalk) look(name string, fields ...string) {
	p.t.Helper()
	p.p.excuse(p.b)
	p.w.look("sso "+name, fields...)
}

// at opens a page of the portal and looks at it.
func (p *providerWalk) at(path, name string) {
	p.t.Helper()
	p.b.Open(p.portal(path))
	p.look(name)
}

// as is another browser for the next pages.
func (p *providerWalk) as() {
	p.t.Helper()
	p.ssoStory = p.fresh()
	p.w.b = p.b
}

func walkProviderPages(t *testing.T, scripts bool) {
	p := startProviderWalk(t, scripts, ssoSetup{settings: longNamed, saml: "idp_initiated on"})
	send := func(to string) { t.Helper(); p.b.ClickTo("main form .main", to) }
	password := newAccount(t, p.g, "demo")
	key, _, _ := newClient(t, p.g, wikiHost).Enrol("/", "demo", password)

	// Signing in.
	p.b.Open(p.wiki("/report"))
	p.look("sign-in")
	send("/sign-in?")
	p.look("sign-in empty", "username")
	p.at("/sign-in?with=password", "sign-in with password")
	send("/sign-in?")
	p.look("sign-in with password empty", "username", "password")
	p.b.Type("#username", "demo")
	p.b.Type("#password", "not this one")
	send("/sign-in?")
	p.look("sign-in with password wrong", "")
	p.at("/help", "help")
	p.b.Open(p.wiki("/report"))
	p.b.Type("#username", "demo")
	send("/sign-in/password")
	p.look("password")
	p.b.Open(p.wiki("/report"))
	p.b.Type("#username", "ada@partner.test")
	letThrough := p.b.hold(p.p.Host)
	send("/sso?")
	p.look("continue")
	letThrough()

	// What can go wrong.
	for _, kind := range []string{"technical", "expired", "cancelled", "notallowed", "browser", "unasked"} {
		p.at("/sso/problem?kind="+kind+"&provider=partner&reference=01jh2m9q4x", "problem "+kind)
	}
	p.at("/sso/problem?kind=technical&provider=supplier&reference=01jh2m9q4x", "problem technical long")
	p.as()
	p.toProvider(p.wiki("/"), "mallory@partner.test")
	p.p.SignIn(p.b, "mallory", p.portal("/sso/problem"))
	p.look("problem cancelled again")

	// Begun by the provider, with nobody and with somebody signed in here.
	p.as()
	p.beginThere("ada", p.portal("/sso/complete?flow="))
	p.look("begun there")
	send(p.portal("/"))
	p.look("home")
	p.again(p.p.SignInURL(readSPMetadata(t, p.metadata).EntityID, ""), p.portal("/sso/complete?flow="))
	p.look("begun there signed in")

	// The settings.
	p.at("/account/security", "security")
	p.at("/account/security/app", "managed")
	p.at("/account/security/sign-out-everywhere", "everywhere")
	p.stale()
	p.look("confirm")
	letThrough = p.b.hold(p.p.Host)
	send("/sso?")
	p.look("fresh")
	letThrough()

	// Signing out.
	p.b.Open(p.portal("/sign-out"))
	p.look("sign-out")
	send("/signed-out")
	p.look("signed out offer")
	letThrough = p.b.hold(p.p.Host)
	p.b.ClickTo("main a.main", "/sso?out=")
	p.look("leaving")
	letThrough()
	p.at("/signed-out?provider=partner", "signed out by provider")
	p.at("/signed-out?provider=partner&done=yes", "signed out both")
	p.at("/signed-out?provider=partner&done=no", "signed out failed")

	// Somebody with an account of ours at a site of the provider's.
	p.as()
	p.b.Open(p.wiki("/"))
	p.b.Type("#username", "demo")
	send("/sign-in/password")
	p.b.Type("#password", password)
	send("/verify/app")
	p.b.Type("#code", nextCode(t, key))
	send(p.wiki("/"))
	p.goTo(p.tools("/"), p.portal("/sso?"))
	p.look("switch")
	p.beginThere("ada", p.portal("/sso/complete?flow="))
	p.look("begun there with an account of ours")

	// By a form.
	p = startProviderWalk(t, scripts, ssoSetup{alter: postOnly, settings: strings.Replace(longNamed, "5s", "10m", 1)})
	p.b.Open(p.wiki("/report"))
	p.b.Type("#username", "ada@partner.test")
	letThrough = p.b.hold(p.p.Host)
	send = func(to string) { t.Helper(); p.b.ClickTo("main form .main", to) }
	send("/sso?")
	p.look("continue by post")
	p.goTo(p.portal("/saml/supplier/login"), "/sso?")
	p.look("continue by post long")
	letThrough()
}
