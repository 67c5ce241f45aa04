package pages

import (
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
)

// longestInMail is how much of a name an e-mail says.
const longestInMail = 120

// letter is an e-mail in the making: the same paragraphs as text and as HTML.
// After the first error nothing more is added.
type letter struct {
	l    *language
	m    Mail
	args Args
	err  error

	Subject    string
	Paragraphs []paragraph
}

// paragraph is some lines, or one line that leads somewhere.
type paragraph struct {
	Lines []line
	Link  string
}

type line struct {
	HTML template.HTML
	Text string
}

// newLetter is a letter that knows its names and its subject.
func (l *language) newLetter(m Mail) (*letter, error) {
	if !slices.Contains(mailKinds, m.Kind) {
		return nil, fmt.Errorf("no e-mail %q", m.Kind)
	}
	org, err := l.org(printable(m.Org, longestInMail), "org.none")
	if err != nil {
		return nil, err
	}
	support := l.support
	if strings.HasPrefix(l.set.brand.Support, "https://") {
		support.text = l.set.brand.Support // text has no other way to lead there
	}
	support.text = printable(support.text, len(support.text)) // half an address leads nowhere
	w := &letter{l: l, m: m, args: Args{
		"service": l.set.spokenName(), "support": support, "org": org, "n": m.Left,
		"account": printable(m.Account, longestInMail), "when": "",
		"browser": printable(m.Browser, longestInMail), "network": printable(m.Network, longestInMail),
	}}
	if m.Kind == MailRecovery {
		w.args["n"] = minutes(m.Minutes)
	}
	if w.args["when"], err = l.moment("when", m.When); err != nil {
		return nil, err
	}
	subject, err := l.plain(l.about("mail.subject."+m.Kind, m.Method), w.args)
	w.Subject = oneLine(subject)
	return w, err
}

// say adds one paragraph with a sentence on each line.
func (w *letter) say(keys ...string) { w.add("", keys...) }

// link adds words that lead to the address, or nothing where there is none.
func (w *letter) link(key, address string) {
	if address == "" || w.err != nil {
		return
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		w.err = errors.New("not an address to lead to")
		return
	}
	w.add(u.String(), key)
}

func (w *letter) add(address string, keys ...string) {
	p := paragraph{Link: address}
	for _, key := range keys {
		html, err := w.l.sentence(key, w.args)
		if err != nil {
			w.err = errors.Join(w.err, err)
			return
		}
		p.Lines = append(p.Lines, line{html, w.l.words(key, w.args)})
	}
	w.Paragraphs = append(w.Paragraphs, p)
}

// text is the letter without markup; an address has a line of its own, so that
// mail programs find where it ends.
func (w *letter) text() string {
	var out strings.Builder
	for i, p := range w.Paragraphs {
		if i > 0 {
			out.WriteString("\n")
		}
		for _, line := range p.Lines {
			out.WriteString(line.Text + "\n")
		}
		if p.Link != "" {
			out.WriteString(p.Link + "\n")
		}
	}
	return out.String()
}
