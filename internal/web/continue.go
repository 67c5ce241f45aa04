package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// showContinue is the one page that leads to another origin: it hands a ticket
// to the host that the person came from. A POST never redirects there, directly
// or through a chain: Chromium drops that under form-action 'self'.
func showContinue(v *visit) error {
	text := v.r.URL.Query().Get("wish")
	p, err := v.signedIn()
	if err != nil {
		return err
	}
	if p == nil {
		return v.to("/sign-in", "wish", text)
	}
	w, err := v.openWish(text)
	if errors.Is(err, session.ErrUnavailable) {
		return err
	}
	if err != nil {
		return v.to("/")
	}
	if !v.Machine.Reaches(*p, *w) {
		return v.raise(*p, w)
	}
	if w.Host == v.arrival.Host {
		return v.redirectHere(w.URI)
	}
	target, err := v.ticketAddress(*p, w)
	if err != nil {
		return err
	}
	v.w.Header().Set("Refresh", "0; url="+target)
	return v.show(http.StatusOK, pages.Continue{Frame: v.frame(), Target: target, Host: w.Host})
}

// raise begins what is missing for a wish: a newer proof, or a higher level.
func (v *visit) raise(p login.Person, w *login.Wish) error {
	if err := v.bindBrowser(); err != nil {
		return err
	}
	f, err := v.Machine.BeginStepUpFor(v.ctx(), v.client, p, w)
	if !errors.Is(err, login.ErrNotNext) {
		if err != nil {
			return err
		}
		return v.next(f)
	}
	if w.Provider != "" { // signing in there, whoever they are here
		text, err := v.SealWish(*w)
		if err != nil {
			return err
		}
		return v.to("/saml/"+w.Provider+"/login", "wish", text)
	}
	f, err = v.Machine.BeginFrom(v.ctx(), v.client, p, w)
	if err != nil {
		return err
	}
	return v.next(f)
}

// ticketAddress makes a ticket and the callback address that carries it. The
// ticket is bound to the host and to the browser that the wish came from, so
// it is worth nothing anywhere else.
func (v *visit) ticketAddress(p login.Person, w *login.Wish) (string, error) {
	ticket := secret.NewToken()
	now := v.Machine.Now()
	token := p.Token
	token.Purpose, token.Host, token.Hash = session.ForApp, w.Host, [32]byte{}
	err := v.Tickets.PutTicket(v.ctx(), TicketHash(ticket.Reveal()), session.Ticket{
		Session: p.Session.ID, Account: p.Account.ID, Host: w.Host, Binding: w.Binding,
		Token: token, Return: w.URI, Expires: now.Add(session.TicketLife),
	})
	if err != nil {
		return "", err
	}
	u := url.URL{Scheme: "https", Host: w.Host, Path: CallbackPath, RawQuery: url.Values{"ticket": {ticket.Reveal()}}.Encode()}
	if !w.Secure {
		u.Scheme = "http"
	}
	return u.String(), nil
}
