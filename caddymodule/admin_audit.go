package caddymodule

import (
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// auditArguments choose events; what is absent chooses all.
type auditArguments struct {
	Account string    `json:"account,omitempty"`
	Request string    `json:"request,omitempty"` // the reference on a refusal page
	Since   time.Time `json:"since,omitzero"`
	Limit   int       `json:"limit,omitempty"`
}

// eventView is an event with its empty fields left out.
type eventView struct {
	Time    time.Time `json:"time"`
	Event   string    `json:"event"`
	Account string    `json:"account,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Actor   string    `json:"actor,omitempty"`
	Session string    `json:"session,omitempty"`
	Host    string    `json:"host,omitempty"`
	Network string    `json:"network,omitempty"`
	Browser string    `json:"browser,omitempty"`
	Request string    `json:"request,omitempty"`
	Method  string    `json:"method,omitempty"`
	Country string    `json:"country,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Count   int       `json:"count,omitempty"`
}

// eventList is what `audit` tells, newest first.
type eventList struct {
	Events []eventView `json:"events"`
}

func listEvents(o *operation, said auditArguments) (any, error) {
	filter := sqlstore.EventFilter{Request: said.Request, Since: said.Since, Limit: said.Limit}
	if said.Account != "" {
		// What a deleted account did stays, under the name that it had.
		a, err := o.engine.durable.AccountByIdentifier(o.ctx, account.NormaliseIdentifier(said.Account))
		switch {
		case err == nil:
			filter.Account = string(a.ID)
		case errors.Is(err, account.ErrNotFound):
			filter.Subject = account.NormaliseIdentifier(said.Account)
		default:
			return nil, err
		}
	}
	events, err := o.engine.durable.Events(o.ctx, filter)
	list := eventList{Events: []eventView{}}
	for _, e := range events {
		list.Events = append(list.Events, viewEvent(e))
	}
	return list, err
}

func viewEvent(e audit.Event) eventView {
	return eventView{
		Time: e.Time.UTC(), Event: string(e.Name), Account: e.Account, Subject: e.Subject, Actor: e.Actor,
		Session: e.Session, Host: e.Host, Network: e.Network, Browser: e.Browser, Request: e.Request,
		Method: e.Method, Country: e.Country, Reason: e.Reason, Count: e.Count,
	}
}
