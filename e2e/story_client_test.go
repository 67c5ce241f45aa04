package e2e

import "testing"

// oneHost is an app with the portal on its own host.
const oneHost = `
http://localhost:{$PORT} {
	sallyport {
		title "Wiki"
	}
	reverse_proxy {$APP}
}
`

func TestSignInWithoutAScreen(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, oneHost, withApp(app))
	password := newAccount(t, g, "demo")
	c := newClient(t, g, "localhost")
	key, codes, end := c.Enrol("/report?x=1", "demo", password)
	if end.Text("user") != "demo" || end.Text("uri") != "/report?x=1" || len(codes) != 10 {
		t.Fatalf("after set-up: %d %q, user %q, address %q, %d codes", end.Status, end.Heading(), end.Text("user"), end.Text("uri"), len(codes))
	}
	if out := c.SignOut("/sallyport/sign-out"); out.Heading() != "You have signed out" {
		t.Errorf("after signing out: %q", out.Heading())
	}
	if end = c.SignIn("/again", "demo", password, key); end.Text("user") != "demo" || end.Text("uri") != "/again" {
		t.Errorf("after signing in: %s %d %q", end.URL, end.Status, end.Heading())
	}
	if again := newClient(t, g, "localhost").SignIn("/", "demo", password, key); again.Text("user") != "demo" {
		t.Errorf("another browser: %s %d %q", again.URL, again.Status, again.Heading())
	}
}
