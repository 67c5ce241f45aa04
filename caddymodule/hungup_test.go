package caddymodule

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// hungUp is a handler that makes a request one whose client has hung up, if it
// says so: by the network that would be a matter of luck.
type hungUp struct{}

const saysHungUp = "X-Hung-Up"

func init() {
	caddy.RegisterModule(hungUp{})
	httpcaddyfile.RegisterHandlerDirective("test_hung_up", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return hungUp{}, nil
	})
}

func (hungUp) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_hung_up", New: func() caddy.Module { return new(hungUp) }}
}

func (hungUp) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Header.Get(saysHungUp) != "" {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		r = r.WithContext(ctx)
	}
	return next.ServeHTTP(w, r)
}

// TestClientThatHangsUpIsNoOutage: people close pages while they load, which
// tells nothing of a store. One that really is away is an error in the log.
func TestClientThatHangsUpIsNoOutage(t *testing.T) {
	redis := testtools.Redis(t)
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.global("sessions redis redis://"+redis.Addr) +
		g.site("app.example.com", "route {\ntest_hung_up\nsallyport\n"+g.proxy()+"\n}\n"))
	g.waitReady("app.example.com")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com") // which the guard has not seen
	const guard, portal = "/", "/sallyport/account/security"
	for _, path := range []string{guard, portal} {
		begun := len(g.logged())
		if got := g.get("app.example.com", path, navigation, cookie, header(saysHungUp, "yes")); got.reached() {
			t.Errorf("%s: the app was reached", path)
		}
		line := lineWith(g.logged()[begun:], "context canceled", `"request":"`)
		if !strings.Contains(line, `"level":"debug"`) || strings.Contains(g.logged()[begun:], `"level":"error"`) {
			t.Errorf("%s: the log says\n%s", path, g.logged()[begun:])
		}
	}
	redis.Kill()
	for path, away := range map[string]string{guard: "refused: a store is away", portal: "portal request failed"} {
		begun := len(g.logged())
		if got := g.get("app.example.com", path, navigation, cookie); got.status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, got.status)
		}
		if lineWith(g.logged()[begun:], away, `"level":"error"`) == "" {
			t.Errorf("%s: the outage is not told:\n%s", path, g.logged()[begun:])
		}
	}
}

// lineWith is the first line that has all parts, "" for none.
func lineWith(text string, parts ...string) string {
	for line := range strings.Lines(text) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return line
		}
	}
	return ""
}
