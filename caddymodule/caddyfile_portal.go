package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterDirective("sallyport_portal", parsePortal)
	// At the guard's place: it answers itself, so it stands before everything
	// that answers, and after what only prepares (log, header, rewrite).
	httpcaddyfile.RegisterDirectiveOrder("sallyport_portal", httpcaddyfile.Before, "basic_auth")
}

// parsePortal reads the directive, which needs the app's `portal`.
func parsePortal(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	p := new(Portal)
	if err := p.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	var a App
	if global, ok := h.Option("sallyport").(httpcaddyfile.App); ok {
		if err := json.Unmarshal(global.Value, &a); err != nil {
			return nil, err
		}
	}
	if err := p.Faults(&a).err(); err != nil {
		return nil, err
	}
	return handlerRoute(p, "sallyport_portal"), nil
}

// UnmarshalCaddyfile sets up the portal from a directive:
//
//	sallyport_portal
func (p *Portal) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	e, ok := readDirective(d)
	if !ok {
		return d.ArgErr()
	}
	p.Source = map[string]string{"": where(e.word)}
	if len(e.args) > 0 || len(e.blocks) > 0 {
		return Faults{{
			Path: "sallyport_portal", Where: where(e.word),
			Problem: "takes no argument, no matcher and no block; write `sallyport_portal` alone, and its settings in the global `sallyport` block",
		}}
	}
	return nil
}

var _ caddyfile.Unmarshaler = (*Portal)(nil)
