package e2e

import (
	"strconv"
	"strings"
	"testing"
)

// DESIGN "Which hosts exist": the port is part of where a ticket goes. Another
// program on another port of the app's host gets a victim's ticket, and with it
// their session.
func TestAnotherPortGetsNoTicket(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, catchAll, withApp(app))
	password := newAccount(t, g, "bob")
	victim, attacker := newClient(t, g, "app.localhost"), newClient(t, g, "app.localhost")
	victim.SignIn("/", "bob", password, "")
	begin := attacker.Get("/x", "Host: app.localhost:9999")
	if begin.Location() == "" {
		return
	}
	page := victim.Get(strings.Replace(begin.Location(), "/sign-in?", "/continue?", 1))
	if !strings.HasPrefix(page.Location(), "http://app.localhost:9999/") {
		return
	}
	t.Errorf("the victim's browser is led to %.60s…", page.Location())
	_, ticket, _ := strings.Cut(page.Location(), "?")
	attacker.Get("/sallyport/callback?"+ticket, "Host: app.localhost:9999")
	if a := attacker.Get("/x", "Host: app.localhost:9999"); a.Text("user") == "bob" {
		t.Error("and the attacker is the victim")
	}
}

// CONFIG: an ambiguous path must satisfy every rule that any reading of it
// could match, also where the matcher reads a placeholder.
func TestPlaceholdersSeeEveryReading(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, strings.NewReplacer("rule /admin/* {", "rule @admin {", "\tsallyport {\n\t\trequire",
		"\t@admin expression `{http.request.uri.path}.startsWith(\"/admin/\")`\n\tsallyport {\n\t\trequire").Replace(ruled), withApp(app))
	bob := signedIn(t, g, "localhost", "/")["bob"]
	for _, form := range []string{"/admin/x", "//admin/x", "/x/..;/admin/x", "/%2561dmin/x"} {
		if app.passes(func() {
			sendRaw(t, g, "", "GET "+form+" HTTP/1.1\r\nHost: localhost:"+strconv.Itoa(g.Port)+"\r\nConnection: close\r\n"+bob+"\r\n")
		}) {
			t.Errorf("out of the group, %s reached the app", form)
		}
	}
}

// CSWSH on a bypass: the person is named to the app though the handshake comes
// from another origin.
func TestForeignSocketsNameNobody(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, named, withApp(app))
	c := newClient(t, g, "localhost")
	c.SignIn("/", "bob", newAccount(t, g, "bob"), "")
	c.Get("/public/ws", "Origin: https://evil.test", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	if name := app.Last().Header.Get("X-Webauth-User"); name != "" {
		t.Errorf("a handshake of another origin on the public part names %s", name)
	}
}
