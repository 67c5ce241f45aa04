// Command caddy is what Sallyport is compared with: Caddy with its standard
// modules, and `bench_nothing`, a handler that hands each request on. In front
// of the same app it shows how far apart two equal contestants come out, which
// is how well this way of measuring can tell anything apart.
package main

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }

func init() {
	caddy.RegisterModule(new(nothing))
	httpcaddyfile.RegisterHandlerDirective("bench_nothing", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next() // its name; it has no options
		return new(nothing), nil
	})
	httpcaddyfile.RegisterDirectiveOrder("bench_nothing", httpcaddyfile.Before, "basic_auth")
}

// nothing is the handler that does nothing.
type nothing struct{}

// CaddyModule implements caddy.Module.
func (*nothing) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_nothing", New: func() caddy.Module { return new(nothing) }}
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (*nothing) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}
