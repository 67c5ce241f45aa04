package caddymodule

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// sessionView is a session as operators see it. Its id is no credential.
type sessionView struct {
	ID       string    `json:"id"`
	Account  string    `json:"account"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Methods  []string  `json:"methods"`
	Provider string    `json:"provider,omitempty"` // where it was begun, if not here
	Network  string    `json:"network"`
	Browser  string    `json:"browser"`
	Hosts    []string  `json:"hosts"`
}

// endArguments name one session, or an account all of whose sessions end.
type endArguments struct {
	ID      string `json:"id,omitempty"`
	Account string `json:"account,omitempty"`
}

// ended is what `session end` tells.
type ended struct {
	Ended int `json:"ended"`
}

// listSessions lists those of one account, or of all that ever signed in: by
// the account's name, each account's newest first.
func listSessions(o *operation, said namedArguments, l *listing) error {
	return o.eachPageOf(said.Account, func(page []account.Account) error {
		if said.Account == "" {
			page = slices.DeleteFunc(page, func(a account.Account) bool { return a.LastSignIn.IsZero() })
		}
		return o.sendSessions(l, page)
	})
}

func (o *operation) sendSessions(l *listing, of []account.Account) error {
	found, err := o.engine.short.SessionsOfAccounts(o.ctx, idsOf(of))
	if err != nil {
		return err
	}
	for i, a := range of {
		views, err := o.viewSessions(a, found[i])
		if err != nil {
			return err
		}
		for _, v := range views {
			if err := l.send(v); err != nil {
				return err
			}
		}
	}
	return l.flush()
}

func endSessions(o *operation, said endArguments) (any, error) {
	switch {
	case (said.ID == "") == (said.Account == ""):
		return nil, refuseValue("say either a session or an account")
	case said.ID != "":
		return o.endSession(session.ID(said.ID))
	}
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	// They end whether or not they can be counted.
	open, err := o.sessionsOf(o.ctx, a)
	if err != nil {
		o.warn("how many sessions there were cannot be told: their store does not answer")
	}
	// Also what is half-finished, and what a failover might bring back.
	_, err = o.change(a, true, audit.SessionsEnded, func(*account.Account) error { return nil })
	return ended{len(open)}, err
}

func (o *operation) endSession(id session.ID) (any, error) {
	s, err := o.engine.short.Session(o.ctx, id)
	if errors.Is(err, session.ErrNotFound) {
		return nil, refuse(http.StatusNotFound, "there is no session %q (any more)", id)
	}
	if err != nil {
		return nil, err
	}
	if err := o.engine.short.EndSession(o.ctx, id); err != nil {
		return nil, err
	}
	of, err := o.engine.durable.Account(o.ctx, s.Account)
	if err != nil {
		of = account.Account{ID: s.Account} // deleted meanwhile; the session ended all the same
	}
	e := o.event(audit.SessionEnded, of)
	e.Session = string(id)
	o.engine.Record(o.ctx, e)
	return ended{1}, nil
}
