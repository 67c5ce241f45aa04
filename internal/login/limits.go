package login

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Limits are the limits of SPEC G1 for the steps that exist.
type Limits struct {
	PasswordAccount Limit // failures per account and network
	PasswordUnknown Limit // failures per account from unknown browsers
	PasswordNetwork Limit // failures per network over all accounts
	Factor          Limit // failures per account and kind of factor
	FactorHard      int   // failures in a row that lock a factor
	Forms           Limit // forms of every other kind per network

	SendWait    time.Duration // between two codes to one account or number
	SendHour    int           // codes an hour to one account or number
	SendDay     int           // codes a day to one account or number
	SendNetwork Limit         // codes asked for from one network
	DailyCap    int           // codes a day over the whole system
}

// DefaultLimits are SPEC G1's numbers.
func DefaultLimits() Limits {
	return Limits{
		PasswordAccount: Limit{N: 5, Window: 10 * time.Minute},
		PasswordUnknown: Limit{N: 20, Window: time.Hour},
		PasswordNetwork: Limit{N: 50, Window: 10 * time.Minute},
		Factor:          Limit{N: 5, Window: 10 * time.Minute, DoubleTo: time.Hour},
		FactorHard:      100,
		Forms:           Limit{N: 60, Window: time.Minute},
		SendWait:        30 * time.Second,
		SendHour:        5,
		SendDay:         10,
		SendNetwork:     Limit{N: 30, Window: time.Hour},
		DailyCap:        1000,
	}
}

// limitRecovery is the name of the limit on links for a forgotten password.
const limitRecovery = "recovery"

// wideFactor: an IPv6 /48 has ten times the tries of a /64 (SPEC G1).
const wideFactor = 10

// count is one counter that a try takes from.
type count struct {
	name  string // of the limit, for logs and pages
	key   string
	limit Limit
}

// passwordCounts are the counters of one password try. subject is the
// account's id where there is one, so that all its spellings share a counter,
// else the normalised identifier: an identifier without an account locks just
// the same. A known browser has a counter of its own and no other (SPEC G2).
func (m *Machine) passwordCounts(c Client, subject string, known bool) []count {
	l := m.Settings.Limits
	if known {
		return []count{{"password_account", "password:device:" + c.Device.ID + ":" + subject, l.PasswordAccount}}
	}
	counts := []count{
		{"password_account", "password:" + subject + ":" + c.Network, l.PasswordAccount},
		{"password_unknown", "password:" + subject, l.PasswordUnknown},
		{"password_network", "password:network:" + c.Network, l.PasswordNetwork},
	}
	return append(counts, wide(c, "password_network", "password:network:", l.PasswordNetwork)...)
}

// wide is the counter of an IPv6 client's /48, beside that of its /64.
func wide(c Client, name, prefix string, l Limit) []count {
	if c.Wide == "" {
		return nil
	}
	l.N *= wideFactor
	return []count{{name, prefix + c.Wide, l}}
}

// factorCount is the counter of a second factor, over all flows and networks.
func (m *Machine) factorCount(id account.ID, k account.Kind) count {
	return count{"factor", "factor:" + string(id) + ":" + string(k), m.Settings.Limits.Factor}
}

// takings are tries that were counted and can be given back.
type takings struct {
	counts []count
	taken  []Taken
}

// take counts the try everywhere before anything is compared, so that of many
// at once no more are compared than the limit allows. When one counter
// refuses, the others get their try back.
func (m *Machine) take(ctx context.Context, counts []count) (takings, error) {
	var t takings
	now := m.Now()
	for _, c := range counts {
		taken, err := m.Limiter.Take(ctx, c.key, c.limit, now)
		if err != nil {
			if l := (*Limited)(nil); errors.As(err, &l) {
				l.Limit = c.name
			}
			m.giveBack(ctx, t)
			return takings{}, err
		}
		t.counts = append(t.counts, c)
		t.taken = append(t.taken, taken)
	}
	return t, nil
}

// giveBack takes counted tries back. Its errors leave a try counted, which
// is the safe side, so they are not told.
func (m *Machine) giveBack(ctx context.Context, t takings) {
	if len(t.taken) > 0 {
		_ = m.Limiter.GiveBack(context.WithoutCancel(ctx), t.taken...)
	}
}

// left returns how many tries to tell the person about: those of the first
// counter, from the third wrong try on (PAGES), else 0.
func (t takings) left() int {
	if len(t.taken) == 0 {
		return 0
	}
	if t.counts[0].limit.N-t.taken[0].Left < 3 {
		return 0
	}
	return t.taken[0].Left
}

// filled reports whether the try filled the first counter's window.
func (t takings) filled() bool { return len(t.taken) > 0 && t.taken[0].Left == 0 }

// tooWrong tells that wrong codes filled the counter of a second factor, after
// the right password: the owner hears of it (SPEC K).
func (m *Machine) tooWrong(ctx context.Context, c Client, a account.Account, k account.Kind, filled bool) {
	if filled {
		m.Audit.Record(ctx, m.factorEvent(c, audit.CodesTooWrong, a, k))
	}
}

// TakeForm counts one form of any other kind: per browser that has signed in
// before, else per network.
func (m *Machine) TakeForm(ctx context.Context, c Client) error {
	l := m.Settings.Limits.Forms
	counts := []count{{"forms", "forms:" + c.Network, l}}
	if c.Device != nil {
		counts[0].key = "forms:device:" + c.Device.ID
	} else {
		counts = append(counts, wide(c, "forms", "forms:", l)...)
	}
	_, err := m.take(ctx, counts)
	return err
}

// limited records a refusal and hands it on.
func (m *Machine) limited(ctx context.Context, c Client, a account.Account, subject string, err error) error {
	if l := (*Limited)(nil); errors.As(err, &l) {
		e := m.event(c, limitEvent(l.Limit), a)
		if e.Subject == "" {
			e.Subject = subject
		}
		e.Reason = l.Limit
		m.Audit.Record(ctx, e)
	}
	return err
}

// limitEvent is the event of a refusal: each cap on codes has its own.
func limitEvent(limit string) audit.Name {
	switch limit {
	case limitSendAccount:
		return audit.SendLimitAccount
	case limitSendNumber:
		return audit.SendLimitNumber
	case limitSendNetwork:
		return audit.SendLimitNetwork
	case limitSendAll:
		return audit.SendDailyCap
	}
	return audit.LimitHit
}
