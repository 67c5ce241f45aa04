package caddymodule

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/phone"
)

const (
	// maxCodeLife bounds a code's life (ASVS 5.0 requirement 6.5.5).
	maxCodeLife = 10 * time.Minute
	// maxCodeTries: more would make six digits worth guessing.
	maxCodeTries = 10
	// maxSenderTime: a chain waits no longer for one sender.
	maxSenderTime = notify.Patience
)

// faults finds what is wrong with the values, and what is missing.
func (p *Phone) faults(f *finder, senders []configured) {
	f.checkAll("phone.countries", p.Countries, phone.CheckRegion)
	f.check("phone.default_region", p.DefaultRegion, phone.CheckRegion)
	if p.CodeTries < 1 || p.CodeTries > maxCodeTries {
		f.fault("phone.code_tries", "%d is not from 1 to %d; write `code_tries 5`", p.CodeTries, maxCodeTries)
	}
	if p.DailyCap < 1 || p.DailyCap > maxTries {
		f.fault("phone.daily_cap", "%d is not from 1 to %d; write `daily_cap 1000`", p.DailyCap, maxTries)
	}
	if p.CodeLifetime <= 0 {
		f.positive("phone.code_lifetime", p.CodeLifetime)
	}
	for _, c := range senders {
		if c.own == nil {
			continue
		}
		for _, s := range c.own.settings() {
			path := join(c.path, s.name)
			if s.time != nil {
				f.positive(path, *s.time)
				continue
			}
			if s.check != nil {
				f.check(path, *s.text, s.check)
			}
		}
	}
	p.gaps(f, senders)
}

// gaps finds what a look at one value does not: what is missing, and what
// does not go together. The Caddyfile parser asks too, with its own finder.
func (p *Phone) gaps(f *finder, senders []configured) {
	if len(p.SendersRaw) == 0 {
		f.fault("phone", "has nobody who sends; write `sender telnyx { … }`, or `sender outbox` for trying out")
	}
	if i := slices.IndexFunc(senders, configured.real); i >= 0 && len(p.Countries) == 0 {
		f.fault("phone.countries", "is missing, and `%s` reaches real phones: whoever signs in could have it call and text all over the world, for your money; "+
			"write the countries of your people's numbers, like `countries US CA GB`", senders[i].name)
	}
	if p.DefaultRegion != "" && len(p.Countries) > 0 && !isPlaceholder(p.DefaultRegion) &&
		!slices.ContainsFunc(p.Countries, isPlaceholder) && !slices.Contains(p.Countries, p.DefaultRegion) {
		f.fault("phone.default_region", "%s is not among `countries`, so every number typed without its country would be refused; write one of %s",
			strconv.Quote(p.DefaultRegion), strings.Join(p.Countries, ", "))
	}
	if time.Duration(p.CodeLifetime) > maxCodeLife {
		f.fault("phone.code_lifetime", "%s is longer than a code may work; write 10m or less", timeText(p.CodeLifetime))
	}
	for _, c := range senders {
		if c.own == nil {
			continue
		}
		for _, s := range c.own.settings() {
			path := join(c.path, s.name)
			switch {
			case s.time != nil && time.Duration(*s.time) > maxSenderTime:
				f.fault(path, "%s is longer than anybody waits for a code; write 10s or less", timeText(*s.time))
			case s.needed && *s.text == "":
				f.fault(path, "is missing; write `%s %s`", s.name, s.value)
			}
		}
		c.own.gaps(f, c.path)
	}
}

// literalSenders tells of secrets of senders that stand in the configuration.
func (f *finder) literalSenders(senders []configured, wording string) {
	for _, c := range senders {
		if c.own == nil {
			continue
		}
		for _, s := range c.own.settings() {
			if s.secret && *s.text != "" && !isPlaceholder(*s.text) {
				f.fault(join(c.path, s.name), "%s", wording)
			}
		}
	}
}
