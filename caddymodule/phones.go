package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/web"
	"github.com/sallyport-auth/sallyport/pages"
)

// phones words messages in the pages' own words and hands them to the
// configuration's senders.
type phones struct {
	chain    *notify.Chain
	pages    *pages.Set
	language string
	service  string
	origin   string // of the portal, "" where it is on each app's own host
	log      *slog.Logger
	metrics  *metrics
}

// newPhones makes a chain of the senders, in the order of the configuration.
func (a *App) newPhones(set *pages.Set, senders []notify.Named) *phones {
	p := &phones{
		pages: set, language: spokenLanguage(set, a.Language), service: a.Name,
		origin: a.Portal, log: a.log, metrics: a.engine.metrics,
	}
	p.chain = notify.NewChain(senders, p.attempted)
	return p
}

// spokenLanguage is the language that the pages' words will be in, for those
// who read them out.
func spokenLanguage(set *pages.Set, tag string) string {
	base, _, _ := strings.Cut(strings.ToLower(tag), "-")
	if slices.Contains(set.Languages(), strings.ToLower(tag)) || slices.Contains(set.Languages(), base) {
		return tag
	}
	return "en"
}

// warn tells of what the senders together cannot do.
func (p *phones) warn(senders []configured) {
	can := func(c notify.Channel, notice bool) bool { return p.chain.Can(c, notice) }
	if !can(notify.Text, false) {
		p.log.Warn("no sender carries text messages: people are offered calls only")
	}
	if !can(notify.Call, false) {
		p.log.Warn("no sender makes calls: people are offered text messages only, and those with a landline nothing; a telnyx sender makes them with `verify_profile`, or with `call_connection` and `public_key`")
	}
	if !can(notify.Text, true) && !can(notify.Call, true) {
		p.log.Warn("no sender carries notices: nobody is told at the old number when it is changed; add a sender that does, after telnyx_verify")
	}
	if u, err := url.Parse(p.origin); err == nil && u.Host != "" && !isLoopback(u.Hostname()) &&
		slices.ContainsFunc(senders, func(c configured) bool { return !c.real() }) {
		p.log.Warn("the sender `outbox` sends nothing: it writes codes to a file, and whoever can read that can sign in with them; it is for trying out")
	}
}

// channelOf is how a method reaches a phone, "" for one that does not.
func channelOf(k account.Method) notify.Channel {
	switch k {
	case account.MethodText:
		return notify.Text
	case account.MethodCall:
		return notify.Call
	}
	return ""
}

// Can implements login.Deliverer.
func (p *phones) Can(k account.Method) bool {
	c := channelOf(k)
	return c != "" && p.chain.Can(c, false)
}

// Deliver implements login.Deliverer.
func (p *phones) Deliver(ctx context.Context, d login.Delivery) (login.Receipt, error) {
	m := notify.Message{
		ID: d.ID, Channel: channelOf(d.Method), To: d.To, Code: d.Code, Words: p.words(d),
		Language: p.language, Service: p.service, Life: d.Life, Hook: p.hookAddress(d.Host),
	}
	tries := new(attempts)
	by, err := p.chain.Send(context.WithValue(ctx, attemptsKey{}, tries), m)
	if err != nil {
		return p.receipt("", tries.maybe), undelivered(err)
	}
	return p.receipt(by, append(tries.maybe, by)), nil
}

// receipt says whose code may arrive, by the senders that took the message or
// may have sent it: a late one stays right.
func (p *phones) receipt(by string, out []string) login.Receipt {
	r := login.Receipt{Sender: by}
	for _, name := range out {
		if _, checks := p.chain.Checker(name); checks {
			r.Checker = name
		} else {
			r.Own = true
		}
	}
	return r
}

// words are what the phone's owner reads or hears.
func (p *phones) words(d login.Delivery) secret.Text {
	// Whole minutes, and ten of them also a moment after the code was made.
	minutes := max(1, int((d.Life+time.Second)/time.Minute))
	text, notice := d.Method == account.MethodText, pages.TellPhoneChanged
	if d.Removed {
		notice = pages.TellPhoneRemoved
	}
	switch {
	case d.Code.IsZero() && text:
		return secret.New(p.pages.NoticeText(p.language, notice))
	case d.Code.IsZero():
		return secret.New(p.pages.NoticeSpeech(p.language, notice))
	case text:
		return secret.New(p.pages.CodeText(p.language, d.Code.Reveal(), minutes, d.Host))
	}
	return secret.New(p.pages.CodeSpeech(p.language, d.Code.Reveal(), minutes))
}

// hookAddress is where Telnyx, the one vendor that calls back, finds us: at
// the portal, or on the host whose page asks for the code.
func (p *phones) hookAddress(host string) string {
	const hook = "/hooks/telnyx"
	if p.origin != "" {
		return p.origin + hook
	}
	if host == "" {
		return ""
	}
	u := url.URL{Scheme: "https", Host: host, Path: web.OwnPrefix + hook}
	if isLoopback(u.Hostname()) {
		u.Scheme = "http"
	}
	return u.String()
}

// Check implements login.Deliverer.
func (p *phones) Check(ctx context.Context, sender string, to phone.Number, code secret.Text) (bool, error) {
	checker, ok := p.chain.Checker(sender)
	if !ok { // it was in the configuration when the code was sent
		return false, fmt.Errorf("sender %s checks no codes here", sender)
	}
	right, err := checker.Check(ctx, to, code)
	return right, undelivered(err)
}

// undelivered is what a sender's failure means to internal/login.
func undelivered(err error) error {
	if err == nil {
		return nil
	}
	failure := (*notify.Failure)(nil)
	return &login.Undelivered{Maybe: errors.As(err, &failure) && failure.Maybe, Err: err}
}

// Hook implements web.Hooks.
func (p *phones) Hook(ctx context.Context, sender string, header http.Header, body []byte) error {
	err := p.chain.Hook(ctx, sender, header, body)
	switch {
	case errors.Is(err, notify.ErrHookRefused):
		return web.ErrHookRefused
	case errors.Is(err, notify.ErrNoHook):
		return web.ErrNoHook
	}
	return err
}

// attempts are the senders that may have sent one message although they
// failed. The chain tells of attempts one by one, each with the context of its
// message.
type attempts struct{ maybe []string }

type attemptsKey struct{}

// attempted hears of every attempt of a sender. Where a later one succeeds,
// nobody else tells of the failure.
func (p *phones) attempted(ctx context.Context, name string, m notify.Message, err error) {
	failure := (*notify.Failure)(nil)
	if !errors.As(err, &failure) {
		return
	}
	p.metrics.notSent(name, m.Channel, failure.Reason)
	p.log.Warn("a sender did not take a message", "sender", name, "channel", string(m.Channel),
		"reason", string(failure.Reason), "detail", failure.Detail, "maybe_sent", failure.Maybe)
	if tries, ok := ctx.Value(attemptsKey{}).(*attempts); ok && failure.Maybe {
		tries.maybe = append(tries.maybe, name)
	}
}

var (
	_ login.Deliverer = (*phones)(nil)
	_ web.Hooks       = (*phones)(nil)
)
