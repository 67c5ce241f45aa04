package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// Codes that nobody enters are what toll fraud looks like (SECURITY R26): they
// are asked for only so that messages are sent.
const (
	alarmEvery = 5 * time.Minute
	// Codes sent in the hour before alarmGrace ago are looked at: younger ones
	// may still be entered.
	alarmGrace = 10 * time.Minute
	alarmSpan  = time.Hour
	// alarmLeast is how many codes there have to be, so that one person who
	// gives up is no alarm.
	alarmLeast = 20
	// alarmShare is the share of entered codes below which there is one.
	alarmShare = 0.2
	// alarmAgain is how long the alarm of one country is silent after it.
	alarmAgain = time.Hour
)

// everywhere is the country of all countries together.
const everywhere = "all"

// delivered is how many codes were sent to a country, and how many entered.
type delivered struct{ sent, entered int }

func (d delivered) ratio() float64 { return min(1, float64(d.entered)/float64(d.sent)) }

// few reports whether that is reason for an alarm.
func (d delivered) few() bool {
	return d.sent >= alarmLeast && float64(d.entered) < alarmShare*float64(d.sent)
}

// byCountry puts together what was sent and what was entered, per country and
// everywhere. Countries to which nothing was sent are left out.
func byCountry(sent, entered []sqlstore.CountryCount) map[string]delivered {
	all := map[string]delivered{}
	add := func(country string, n delivered) {
		for _, key := range []string{country, everywhere} {
			d := all[key]
			all[key] = delivered{d.sent + n.sent, d.entered + n.entered}
		}
	}
	for _, c := range sent {
		if c.Name == audit.CodeSent {
			add(c.Country, delivered{sent: c.N})
		}
	}
	for _, c := range entered {
		if enteredCode(c.Name, c.Method) {
			add(c.Country, delivered{entered: c.N})
		}
	}
	maps.DeleteFunc(all, func(_ string, d delivered) bool { return d.sent == 0 })
	return all
}

// watchCodes looks from time to time whether codes are entered.
func (e *engine) watchCodes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(alarmEvery):
		}
		if err := within(ctx, func(ctx context.Context) error { return e.checkCodes(ctx, time.Now()) }); err != nil && ctx.Err() == nil {
			e.log.Warn("it is not known whether codes are entered", "error", err.Error())
		}
	}
}

// checkCodes is one round. Every node sees the codes of all nodes; the first
// one tells.
func (e *engine) checkCodes(ctx context.Context, now time.Time) error {
	from := now.Add(-alarmSpan - alarmGrace)
	sent, err := e.durable.CountByCountry(ctx, from, now.Add(-alarmGrace))
	if err != nil {
		return err
	}
	entered, err := e.durable.CountByCountry(ctx, from, now)
	if err != nil {
		return err
	}
	all := byCountry(sent, entered)
	e.metrics.ratio.Reset()
	for _, country := range slices.Sorted(maps.Keys(all)) {
		d := all[country]
		e.metrics.ratio.WithLabelValues(country).Set(d.ratio())
		if !d.few() {
			continue
		}
		_, err := e.short.Take(ctx, "alarm:few:"+country, login.Limit{N: 1, Window: alarmAgain}, now)
		if limited := (*login.Limited)(nil); errors.As(err, &limited) {
			continue
		}
		if err != nil {
			return err
		}
		e.tellFew(ctx, now, country, d)
	}
	return nil
}

func (e *engine) tellFew(ctx context.Context, now time.Time, country string, d delivered) {
	event := audit.Event{
		Time: now, Name: audit.FewCodesEntered, Country: country,
		Reason: fmt.Sprintf("%d of %d codes were entered within an hour", d.entered, d.sent),
	}
	if country == everywhere {
		event.Country = ""
	}
	e.log.Warn("few of the codes that are sent are entered: somebody may be sending them for the money that the messages earn; "+
		"look at `sallyport audit`, and take countries that you do not need out of `countries`",
		"country", country, "sent", d.sent, "entered", d.entered)
	e.Record(ctx, event)
}
