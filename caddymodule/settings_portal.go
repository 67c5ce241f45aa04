package caddymodule

import "github.com/caddyserver/caddy/v2"

func init() {
	caddy.RegisterModule(Portal{})
}

// Portal serves the pages for signing in, second factors and one's own
// account, on the host that the app's `portal` names. It has no settings of
// its own.
type Portal struct {
	// Where the directive stood in the Caddyfile, `file:line` under "".
	Source map[string]string `json:"source,omitempty"`

	portalState
}

// CaddyModule returns the Caddy module information.
func (Portal) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.sallyport_portal",
		New: func() caddy.Module { return new(Portal) },
	}
}
