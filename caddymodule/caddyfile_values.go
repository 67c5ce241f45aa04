package caddymodule

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// isPlaceholder reports whether a value is known only when the configuration
// is loaded; what it must be is checked then (see Faults of the settings).
func isPlaceholder(s string) bool {
	from := strings.IndexByte(s, '{')
	return from >= 0 && strings.IndexByte(s[from:], '}') > 1
}

// text sets a text, and refuses it where check finds something wrong.
func text(to *string, check func(string) string) func(*values) {
	return func(v *values) {
		*to = v.args[0]
		if v.args[0] == "" {
			v.fault("is empty; write a value or leave the line out")
			return
		}
		v.check(v.args[0], check)
	}
}

// list adds texts, each one checked and once.
func list(to *[]string, check func(string) string) func(*values) {
	return func(v *values) {
		for _, a := range v.args {
			if slices.Contains(*to, a) {
				v.fault("%q is said twice; write it once", a)
				continue
			}
			*to = append(*to, a)
			v.check(a, check)
		}
	}
}

func (v *values) check(value string, check func(string) string) {
	if check == nil || isPlaceholder(value) {
		return
	}
	if problem := check(value); problem != "" {
		v.fault("%s", problem)
	}
}

// word sets one of a few words.
func word(to *string, words ...string) func(*values) {
	return text(to, oneOf(words...))
}

func oneOf(words ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(words, s) {
			return ""
		}
		return strconv.Quote(s) + " is unknown; write " + either(words)
	}
}

func either(words []string) string {
	if len(words) == 1 {
		return "`" + words[0] + "`"
	}
	last := len(words) - 1
	return "`" + strings.Join(words[:last], "`, `") + "` or `" + words[last] + "`"
}

// duration sets a time above zero, such as 15m or 30d.
func duration(to *caddy.Duration) func(*values) {
	return func(v *values) { v.duration(v.args[0], to) }
}

// durationOrOff takes `off` for none.
func durationOrOff(to *caddy.Duration) func(*values) {
	return func(v *values) {
		if *to = 0; v.args[0] != "off" {
			v.duration(v.args[0], to)
		}
	}
}

func (v *values) duration(s string, to *caddy.Duration) {
	d, err := caddy.ParseDuration(s)
	// Too many days wrap around in Caddy's reading and come out below zero.
	if err != nil || d <= 0 {
		v.fault("%q is not a time above zero; write one like 15m, 24h or 30d", s)
		return
	}
	if d > 100*365*24*time.Hour {
		v.fault("%q is more than 100 years; write a shorter time", s)
		return
	}
	*to = caddy.Duration(d)
}

// number sets a whole number from lo to hi.
func number(to *int, lo, hi int) func(*values) {
	return func(v *values) { v.number(v.args[0], to, lo, hi) }
}

func (v *values) number(s string, to *int, lo, hi int) {
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi {
		v.fault("%q is not a whole number from %d to %d; write one", s, lo, hi)
		return
	}
	*to = n
}

// onOff sets a switch.
func onOff(to *bool) func(*values) {
	return func(v *values) {
		switch v.args[0] {
		case "on":
			*to = true
		case "off":
			*to = false
		default:
			v.fault("%q is unknown; write `on` or `off`", v.args[0])
		}
	}
}

// window sets n tries in a time.
func window(to *Window) func(*values) {
	return func(v *values) {
		v.number(v.args[0], &to.N, 1, maxTries)
		v.duration(v.args[1], &to.Window)
	}
}

// maxTries bounds every limit's number: a limit of a billion is none.
const maxTries = 1_000_000
