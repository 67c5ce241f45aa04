package caddymodule

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/notify"
)

// E-mails to owners are rows that were written with what they tell of. Every
// node looks for those that are due, takes a few for itself, and hands them
// over; no page waits for that. One that a server does not take is tried again
// until its time is over. Where nobody knows whether a server took it, because
// the connection or this process ended before the answer, it is tried once
// more and then no further: the second one has the same Message-ID.
const (
	mailEvery   = time.Second
	mailsAtOnce = 4
	// mailLease is how long a node has a mail for itself, beyond the time that
	// handing it over may take: for the database's answers, and clocks of nodes
	// that differ. A mail that a crash interrupted goes on after it.
	mailLease = time.Minute
	// mostUnsure attempts may have sent it.
	mostUnsure = 2
)

// mailWaits are the times between attempts, the last one again and again
// (RFC 5321 section 4.5.4.1 asks for 30 minutes and more between later ones).
var mailWaits = []time.Duration{
	10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour,
}

// mailWait is how long to wait after so many attempts. What a server refuses
// for good is asked for rarely: an operator may mend it.
func mailWait(tries int, permanent bool) time.Duration {
	if permanent {
		return mailWaits[len(mailWaits)-1]
	}
	return mailWaits[min(max(tries, 1), len(mailWaits))-1]
}

// sendMails runs while the engine lives. The configuration in force says how
// mails are sent, and in which words.
func (e *engine) sendMails(ctx context.Context) {
	for told := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(mailEvery):
		}
		app := started.current()
		if app == nil || app.engine != e || app.mailer == nil {
			continue
		}
		n, err := mailsAtOnce, error(nil)
		for n == mailsAtOnce && err == nil && ctx.Err() == nil {
			n, err = app.sendDue(ctx, time.Now)
		}
		if err == nil {
			told = ""
		} else if text := err.Error(); text != told && ctx.Err() == nil { // not every second the same
			e.log.Warn("e-mails wait for the database", "error", text)
			told = text
		}
	}
}

// sendDue hands over a few mails at the same time, and returns how many there
// were.
func (a *App) sendDue(ctx context.Context, now func() time.Time) (int, error) {
	due, err := a.engine.durable.ClaimMails(ctx, now(), mailLease+time.Duration(a.Mail.Timeout), mailsAtOnce)
	var all sync.WaitGroup
	for _, m := range due {
		all.Go(func() { a.sendMail(ctx, m, now) })
	}
	all.Wait()
	return len(due), err
}

// sendMail hands one mail over, and says in its row what became of it.
func (a *App) sendMail(ctx context.Context, m account.Mail, now func() time.Time) {
	switch {
	case m.Unsure >= mostUnsure: // a node ended while it had it
		a.endMail(ctx, m, audit.MailMaybeSent, "no answer came, twice", now())
		return
	case !now().Before(m.Expires):
		a.endMail(ctx, m, audit.MailNotSent, "its time was over before a server took it", now())
		return
	}
	letter, err := a.letter(ctx, m, now())
	if errors.Is(err, account.ErrNotFound) { // the account is gone, and its mails with it
		return
	}
	if err != nil {
		a.log.Error("an e-mail cannot be written", "mail", m.ID, "about", m.About, "error", err.Error())
		a.keepMail(ctx, m, now().Add(mailWait(m.Tries, false)), false)
		return
	}
	failure := (*notify.Failure)(nil)
	switch err := a.mailer.Mail(ctx, letter); {
	case err == nil:
		a.endMail(ctx, m, audit.MailSent, "", now())
	case !errors.As(err, &failure):
		a.log.Error("an e-mail was not sent", "mail", m.ID, "about", m.About, "error", err.Error())
		a.keepMail(ctx, m, now().Add(mailWait(m.Tries, false)), true)
	default:
		a.mailFailed(ctx, m, failure, now())
	}
}

func (a *App) mailFailed(ctx context.Context, m account.Mail, f *notify.Failure, now time.Time) {
	a.engine.metrics.mailNotSent(f.Reason)
	a.log.Warn("an e-mail was not taken; it is tried again", "mail", m.ID, "about", m.About, "tries", m.Tries,
		"reason", string(f.Reason), "detail", f.Detail, "maybe", f.Maybe)
	if f.Maybe && m.Unsure+1 >= mostUnsure {
		a.endMail(ctx, m, audit.MailMaybeSent, f.Error(), now)
		return
	}
	a.keepMail(ctx, m, now.Add(mailWait(m.Tries, f.Permanent)), f.Maybe)
}

// keepMail and endMail also run when the engine is being ended: what became of
// a mail is worth more than a moment.

func (a *App) keepMail(ctx context.Context, m account.Mail, due time.Time, unsure bool) {
	if due.After(m.Expires) {
		due = m.Expires // to be told as not sent
	}
	if err := a.engine.durable.KeepMail(context.WithoutCancel(ctx), m.ID, due, unsure); err != nil {
		a.log.Warn("an e-mail waits for its lease to end", "mail", m.ID, "error", err.Error())
	}
}

func (a *App) endMail(ctx context.Context, m account.Mail, name audit.Name, reason string, now time.Time) {
	e := audit.Event{Time: now, Name: name, Account: string(m.Account), Method: m.About, Reason: reason}
	if err := a.engine.durable.EndMail(context.WithoutCancel(ctx), m.ID, e); err != nil {
		a.log.Warn("an e-mail waits for its lease to end", "mail", m.ID, "error", err.Error())
		return
	}
	a.engine.Written(ctx, e)
}

// mailNotSent counts an attempt that failed.
func (m *metrics) mailNotSent(reason notify.Reason) {
	if !slices.Contains(reasons, reason) {
		reason = "other"
	}
	m.mailFailures.WithLabelValues(string(reason)).Inc()
}
