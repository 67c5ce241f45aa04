package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// The assertions that look at what stands on a page.

func checkAxe(p *lookedAt) {
	for _, v := range p.b.Axe() {
		p.fault("%s", v)
	}
}

// checkFrame is A2: what every page has.
func checkFrame(p *lookedAt) {
	title := p.b.Title()
	if first, ok := p.titles[title]; ok && first != p.b.Heading() {
		p.fault("the title %q is also that of %q", title, first)
	}
	p.titles[title] = p.b.Heading()
	if strings.HasPrefix(title, "Error: ") != (len(p.fields) > 0) || !strings.HasSuffix(title, " – Example Inc.") {
		p.fault("title %q", title)
	}
	for selector, want := range map[string]int{"h1": 1, "main": 1, "html[lang=en][dir=ltr]": 1, "main#main": 1, "footer": 1} {
		if got := Eval[int](p.b, fmt.Sprintf("document.querySelectorAll(%q).length", selector)); got != want {
			p.fault("%d of %s, want %d", got, selector, want)
		}
	}
}

// checkPlain is A9, as far as it can be seen: what would do nothing without
// scripts, or only by them. That the forms work is what the walk without scripts
// shows.
func checkPlain(p *lookedAt) {
	for _, selector := range []string{
		"[href^='javascript:'], [href='#'], [style], style, script:not([src])", "form:not([novalidate])", "meta[http-equiv=refresh]", "button[disabled]",
	} {
		if got := Eval[int](p.b, fmt.Sprintf("document.querySelectorAll(%q).length", selector)); got != 0 {
			p.fault("%d of %s", got, selector)
		}
	}
	if on := p.b.eval("[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on')).join()"); on != "" {
		p.fault("attributes %s", on)
	}
}

// checkProblems is A4: the summary has the focus, and each of its links leads
// to a field that says the same.
func checkProblems(p *lookedAt) {
	if len(p.fields) == 0 {
		if p.b.Has(".summary") {
			p.fault("an error summary: %q", p.b.Text(".summary"))
		}
		return
	}
	if focus := p.b.eval("document.activeElement.className"); focus != "summary" {
		p.fault("the focus is on %q, not on the summary", focus)
	}
	type link struct {
		Text, Field, Invalid, Description string
	}
	links := Eval[[]link](p.b, `[...document.querySelectorAll('.summary li')].map(li => {
		const a = li.querySelector('a'), to = a && document.getElementById(a.getAttribute('href').slice(1));
		const field = to && to.type === 'radio' ? to.closest('fieldset') : to; // a question's radios have their problem together
		const by = field && (field.getAttribute('aria-describedby') || '').split(' ').map(id => document.getElementById(id)).filter(e => e && e.matches('.problem'));
		return {Text: li.innerText.trim(), Field: to ? to.id : '', Invalid: field ? field.getAttribute('aria-invalid') || '' : '',
			Description: by ? by.map(e => e.textContent.replace('Error:', '').trim()).join(' ') : ''};
	})`)
	var to []string
	for _, l := range links {
		to = append(to, l.Field)
		if l.Field != "" && (l.Invalid != "true" || l.Description != l.Text) {
			p.fault("the summary says %q; the field %s has aria-invalid=%q and says %q", l.Text, l.Field, l.Invalid, l.Description)
		}
	}
	if !slices.Equal(to, p.fields) {
		p.fault("the summary leads to %q, want %q", to, p.fields)
	}
}

// aField is what a control says of itself to managers and keyboards.
type aField struct {
	Name, Type, Autocomplete, Inputmode string
	Others                              []string
}

var knownFields = map[string][]aField{
	"username": {{Type: "text", Autocomplete: "username", Inputmode: "email"}},
	"password": {{Type: "password", Autocomplete: "current-password"}, {Type: "password", Autocomplete: "new-password"}},
	"current":  {{Type: "password", Autocomplete: "current-password"}},
	"code":     {{Type: "text", Autocomplete: "one-time-code", Inputmode: "numeric"}, {Type: "text", Autocomplete: "off"}},
	"label":    {{Type: "text", Autocomplete: "off"}},
	"phone":    {{Type: "tel", Autocomplete: "tel"}},
}

// checkFields is A5.
func checkFields(p *lookedAt) {
	for _, f := range Eval[[]aField](p.b, `[...document.querySelectorAll('input')].filter(e => e.checkVisibility() && !['radio', 'checkbox'].includes(e.type)).map(e => ({
		Name: e.name, Type: e.getAttribute('type') || '', Autocomplete: e.getAttribute('autocomplete') || '', Inputmode: e.getAttribute('inputmode') || '',
		Others: ['maxlength', 'placeholder', 'required', 'pattern'].filter(a => e.hasAttribute(a))}))`) {
		ok := slices.ContainsFunc(knownFields[f.Name], func(k aField) bool {
			return k.Type == f.Type && k.Autocomplete == f.Autocomplete && k.Inputmode == f.Inputmode
		})
		if !ok || len(f.Others) > 0 {
			p.fault("field %+v", f)
		}
	}
}

// What one page may ask for and weigh, uncompressed: Caddy compresses where the
// operator says `encode`.
const (
	mostRequests  = 5
	mostPageBytes = 24 << 10
	mostBytes     = 48 << 10
)

// checkQuiet is A7.
func checkQuiet(p *lookedAt) {
	for _, f := range p.b.Faults() {
		p.fault("%s", f)
	}
	origins := append([]string{"data:"}, p.origins...)
	if p.origins == nil {
		origins = append(origins, p.g.URL("localhost", "/"), "http://127.0.0.1:")
	}
	for _, address := range p.b.Asked() {
		if !slices.ContainsFunc(origins, func(o string) bool { return strings.HasPrefix(address, o) }) {
			p.fault("asked for %s", address)
		}
	}
	sizes := Eval[[]int](p.b, `[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
		.filter(e => !e.name.startsWith('data:')).map(e => e.decodedBodySize)`)
	total := 0
	for _, n := range sizes {
		total += n
	}
	if len(sizes) == 0 || len(sizes) > mostRequests || sizes[0] > mostPageBytes || total > mostBytes {
		p.fault("%d requests of %v bytes, at most %d, %d for the page and %d in all", len(sizes), sizes, mostRequests, mostPageBytes, mostBytes)
	}
}

// checkHeaders is A8 for what a page itself is sent with; that forms answer 303,
// and those of other sites a page, is a test of its own.
func checkHeaders(p *lookedAt) {
	headers := p.b.Headers()
	for name, part := range map[string]string{
		"cache-control": "no-store", "x-content-type-options": "nosniff", "content-type": "text/html; charset=utf-8",
		"content-security-policy": "default-src 'none'; ",
	} {
		if !strings.Contains(headers[name], part) {
			p.fault("%s: %q", name, headers[name])
		}
	}
	if policy := headers["content-security-policy"]; strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		p.fault("a policy that permits too much: %s", policy)
	}
}
