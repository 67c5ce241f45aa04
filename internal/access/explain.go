package access

import (
	"fmt"
	"strings"
	"time"
)

// Lines gives the options as a Caddyfile has them, for operators.
func (o Options) Lines() (lines []string) {
	lines = append(lines, "require "+o.Level().String())
	if o.Provider != "" {
		lines = append(lines, "provider "+o.Provider)
	}
	lines = append(lines, termLines("allow", o.Allow)...)
	lines = append(lines, termLines("deny", o.Deny)...)
	for _, ranges := range o.Networks {
		line := "network"
		for _, r := range ranges {
			line += " " + r.String()
		}
		lines = append(lines, line)
	}
	if o.Reauthenticate > 0 {
		lines = append(lines, "reauthenticate "+Short(o.Reauthenticate))
	}
	if o.APIKeys {
		lines = append(lines, "api_keys")
	}
	return lines
}

func termLines(word string, terms []Term) (lines []string) {
	for _, kind := range []Kind{Account, Group, EmailDomain} {
		line := ""
		for _, t := range terms {
			if t.Kind == kind {
				line += " " + t.Value
			}
		}
		if line != "" {
			lines = append(lines, word+" "+kind.String()+line)
		}
	}
	return lines
}

// Short is a duration without its zeros, as a Caddyfile has it: 15m, not 15m0s.
func Short(d time.Duration) string {
	text := strings.TrimSuffix(d.String(), "m0s")
	if text != d.String() {
		text += "m"
	}
	if hours, ok := strings.CutSuffix(text, "h0m"); ok {
		return hours + "h"
	}
	return text
}

// WhyDenied says for an operator why a visitor may not pass, however well they
// prove themselves; "" where they may.
func (o Options) WhyDenied(v Visitor) string {
	if !o.Inside(v.Client) {
		return fmt.Sprintf("%s is not in `network`", v.Client)
	}
	for _, t := range o.Deny {
		switch {
		case t.names(&v.Person):
			return fmt.Sprintf("`deny %s %s`", t.Kind, t.Value)
		case t.Kind == EmailDomain && unreadable(v.Email):
			return fmt.Sprintf("`deny %s %s`, and %q has no one domain", t.Kind, t.Value, v.Email)
		}
	}
	if !o.admits(&v.Person) {
		return "not among those of `allow`"
	}
	return ""
}
