package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// The paths of ours on an app's host.
const (
	OwnPrefix    = "/sallyport"
	CallbackPath = OwnPrefix + "/callback"
)

// TicketHash is what the store knows of a ticket.
func TicketHash(ticket string) [32]byte { return sha256.Sum256([]byte(ticket)) }

// ServeCallback turns a ticket into this app host's own cookie. Any
// presentation consumes the ticket; it is good only for this host and for the
// browser whose binding cookie the guard set when it sent the person away.
func (p *Portal) ServeCallback(w http.ResponseWriter, r *http.Request, a Arrival) {
	p.visit(w, r, a).answerBy((*visit).callback)
}

func (v *visit) callback() error {
	if !v.arrival.Secure && !v.arrival.Local {
		return errInsecure
	}
	if v.keys == nil {
		return errNoKeys
	}
	ticket := v.r.URL.Query()["ticket"]
	if len(ticket) != 1 {
		return v.redirectHere("/")
	}
	t, err := v.Tickets.TakeTicket(v.ctx(), TicketHash(ticket[0]), v.Machine.Now())
	if errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrDamaged) {
		return v.spentTicket()
	}
	if err != nil {
		return err
	}
	raw := v.browserCookie()
	if raw == nil {
		v.refuseTicket(t, "no binding cookie")
		if v.hasAppSession() {
			return v.redirectHere(t.Return)
		}
		return v.show(http.StatusBadRequest, pages.CookiesBlocked{Frame: v.appFrame(), Retry: LocalPath(t.Return)})
	}
	binding := BindingHash(raw)
	if t.Host != v.arrival.Host || subtle.ConstantTimeCompare(binding[:], t.Binding[:]) != 1 {
		v.refuseTicket(t, "another host or browser")
		return v.spentTicket()
	}
	return v.acceptTicket(t)
}

// acceptTicket gives this host its token.
func (v *visit) acceptTicket(t session.Ticket) error {
	cred := session.NewCredential(t.Session, t.Account)
	token := t.Token
	token.Purpose, token.Host, token.Hash, token.Issued = session.ForApp, t.Host, cred.Hash(), v.Machine.Now()
	err := v.Machine.Sessions.SetToken(v.ctx(), t.Session, token)
	if errors.Is(err, session.ErrNotFound) {
		return v.spentTicket()
	}
	if err != nil {
		return err
	}
	raw, err := cred.Marshal()
	if err != nil {
		return err
	}
	text, err := v.codecs.App.Encode(raw)
	if err != nil {
		return err
	}
	v.jar.Set(v.w, session.CookieApp, text, v.Config.SessionLife+endedKnown)
	return v.redirectHere(t.Return)
}

// spentTicket: a ticket that opens nothing. Somebody who has this host's
// session just goes on; others are told, so that nothing goes in a circle.
func (v *visit) spentTicket() error {
	if v.hasAppSession() {
		return v.redirectHere("/")
	}
	return v.show(http.StatusBadRequest, pages.Expired{Frame: v.appFrame(), Start: "/"})
}

func (v *visit) hasAppSession() bool {
	_, err := v.appSession()
	return err == nil
}

// appSession is the session that this app host's cookie proves;
// session.ErrNotFound for none.
func (v *visit) appSession() (*session.Entry, error) {
	text := v.jar.Get(v.r, session.CookieApp)
	if text == "" {
		return nil, session.ErrNotFound
	}
	return v.Reader.Read(v.ctx(), session.Key{Purpose: session.ForApp, Host: v.arrival.Host, Cookie: text})
}

func (v *visit) refuseTicket(t session.Ticket, why string) {
	v.Audit.Record(v.ctx(), audit.Event{
		Time: v.Machine.Now(), Name: audit.TicketRefused, Account: string(t.Account), Session: string(t.Session),
		Host: v.arrival.Host, Network: v.client.Network, Browser: v.client.Agent(), Request: v.arrival.RequestID, Reason: why,
	})
}

// appFrame is the frame of a page that an app's host shows: with the portal on
// its own host, help and the style sheet are there.
func (v *visit) appFrame() pages.Frame {
	f := v.frame()
	if v.OwnHost() {
		f.Base = v.Config.Origin
	}
	return f
}
