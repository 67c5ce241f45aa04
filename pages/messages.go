package pages

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// smsSeptets is how much of the GSM 7-bit alphabet one text message carries
// (3GPP TS 23.038). What is longer goes, and is paid for, in parts.
const smsSeptets = 160

// shortestName is how far the service's name is cut to keep to one message.
const shortestName = 10

// longestName is how much of the service's name a message or call ever says.
const longestName = 40

// CodeText is the text message with a code that works for so many minutes. The
// code comes first, so that a notification shows it; the last line binds it to
// the page's host (WICG origin-bound one-time codes), which a port given with
// it is no part of. The service's name is cut so that the whole fits in one
// message, as long as its letters and the host allow: one letter outside the
// GSM alphabet makes it two or three messages.
func (s *Set) CodeText(lang, code string, minutes int, host string) string {
	l := s.language(lang)
	host = (&url.URL{Host: host}).Hostname()
	whole := func(name string) string {
		return l.words("sms.code", Args{"code": code, "service": name, "n": minutes}) +
			"\n\n@" + host + " #" + code
	}
	name := s.spokenName()
	text := whole(name)
	if over := septets(text) - smsSeptets; over > 0 {
		text = whole(cut(name, max(shortestName, len([]rune(name))-over)))
	}
	return text
}

// CodeSpeech is what a call says, a sentence on each line: a greeting, because
// the first second of a call is lost, then the code three times, digit by
// digit, then how many minutes it works.
func (s *Set) CodeSpeech(lang, code string, minutes int) string {
	l := s.language(lang)
	digits := Args{"code": strings.Join(strings.Split(code, ""), ", ")}
	return strings.Join([]string{
		l.words("call.hello", Args{"service": s.spokenName()}),
		l.words("call.code", digits),
		l.words("call.again", digits),
		l.words("call.again", digits),
		l.words("call.works", Args{"n": minutes}),
		l.words("call.never", nil),
		l.words("call.bye", nil),
	}, "\n")
}

// NoticeText tells a number by text message what happened to it. The key is one
// of the Tell constants. It names neither account nor number, and its only
// address is that of the support.
func (s *Set) NoticeText(lang, key string) string {
	return s.language(lang).words(key, Args{"service": s.spokenName()})
}

// NoticeSpeech is the same as a call, said twice.
func (s *Set) NoticeSpeech(lang, key string) string {
	l, service := s.language(lang), Args{"service": s.spokenName()}
	return strings.Join([]string{
		l.words("call.notice", service),
		l.words(key, service),
		l.words("call.repeat", nil),
		l.words(key, service),
		l.words("call.bye", nil),
	}, "\n")
}

// words is a message on one line. New has seen to it that none can fail.
func (l *language) words(key string, args Args) string {
	text, _ := l.plain(key, args)
	return oneLine(text)
}

// checkMessages makes every message to a phone once, in singular and plural, so
// that a broken catalogue shows when the program starts.
func (l *language) checkMessages() error {
	for _, key := range []string{
		"sms.code", "call.hello", "call.code", "call.again", "call.works", "call.never",
		"call.bye", "call.notice", "call.repeat", TellPhoneChanged, TellPhoneRemoved,
	} {
		for _, n := range []int{0, 1, 2, 3, 10, 11, 100} {
			if _, err := l.plain(key, Args{"code": "1", "service": "x", "n": n}); err != nil {
				return fmt.Errorf("message to a phone: %w", err)
			}
		}
	}
	return nil
}

// spokenName is the service's name as a message says it: letters alone decide
// how a line is read, so nothing invisible stays.
func (s *Set) spokenName() string {
	return visible(s.brand.Name)
}

// visible is a name where no markup can isolate it: only what can be seen
// stays, and no more than fits.
func visible(name string) string { return printable(name, longestName) }

// printable is a name of at most n characters on one line, without what cannot
// be seen.
func printable(name string, n int) string {
	name = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			return ' '
		}
		return r
	}, name)
	return cut(oneLine(name), n)
}

// cut keeps the first n characters.
func cut(name string, n int) string {
	if r := []rune(name); len(r) > n {
		return strings.TrimSpace(string(r[:n]))
	}
	return name
}

// gsmDouble are the characters that take two places in the GSM alphabet.
const gsmDouble = `^{}\[~]|€`

// septets is the length of a text in the GSM alphabet.
func septets(text string) int {
	n := 0
	for _, r := range text {
		n++
		if strings.ContainsRune(gsmDouble, r) {
			n++
		}
	}
	return n
}
