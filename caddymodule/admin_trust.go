package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// trustedView is a browser that is not asked for a second factor, as operators
// see it. Its id is no credential.
type trustedView struct {
	ID       string    `json:"id"`
	Account  string    `json:"account"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Network  string    `json:"network"`
	Browser  string    `json:"browser"`
}

// trustedList is what `trusted-browser list` tells.
type trustedList struct {
	Browsers []trustedView `json:"browsers"`
}

// listTrusted lists those of one account.
func listTrusted(o *operation, said namedArguments) (any, error) {
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	all, err := o.engine.durable.TrustedBrowsers(o.ctx, a.ID, o.now)
	list := trustedList{Browsers: []trustedView{}}
	for _, t := range all {
		list.Browsers = append(list.Browsers, trustedView{
			ID: t.ID, Account: a.Name, Created: t.Created.UTC(), Expires: t.Expires.UTC(), LastUsed: t.LastUsed.UTC(),
			Network: t.Network, Browser: t.Browser,
		})
	}
	return list, err
}

// endTrustArguments name an account, and one of its browsers or none for all.
type endTrustArguments struct {
	Account string `json:"account"`
	ID      string `json:"id,omitempty"`
}

// endTrusted makes browsers ask for the second factor again. Sessions that they
// have go on.
func endTrusted(o *operation, said endTrustArguments) (any, error) {
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	all, err := o.engine.durable.TrustedBrowsers(o.ctx, a.ID, o.now)
	if err != nil {
		return nil, err
	}
	e := o.event(audit.TrustEnded, a)
	switch err := o.engine.durable.EndTrust(o.ctx, a.ID, said.ID, e); {
	case errors.Is(err, account.ErrNotFound) && said.ID != "":
		return nil, refuse(http.StatusNotFound, "%s has no remembered browser %q", a.Name, said.ID)
	case errors.Is(err, account.ErrNotFound):
		return ended{0}, nil
	case err != nil:
		return nil, err
	}
	o.done(e)
	if said.ID != "" {
		return ended{1}, nil
	}
	return ended{len(all)}, nil
}
