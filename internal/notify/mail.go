package notify

import (
	"context"
	"errors"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// longestSubject bounds a subject, in characters: with room for its encoding
// it stays below the 998 octets of a line (RFC 5322 section 2.1.1).
const longestSubject = 200

// Mail is one e-mail on its way to one person.
type Mail struct {
	// ID is the same whenever the same mail is handed over again, and no other
	// mail has it: 26 letters and digits of base32. The Message-ID is made of
	// it and of From's domain, so that a mailbox can tell a repetition.
	ID string
	// From and To are one address each, with or without a name:
	// `it@example.com`, or what Mailbox makes.
	From, To string
	// Subject is one line. It is not secret, and must hold no link or code:
	// mail programs show it on locked screens.
	Subject string
	// Text is the body as plain text, lines parted by "\n". Needed.
	Text secret.Text
	// HTML is the same as HTML; empty: the mail is plain text alone.
	HTML secret.Text
	// Language of the words, a BCP 47 tag such as `en`; "" is not told.
	Language string
	// Date is when the mail was first made; also the same at every attempt.
	Date time.Time
}

// Mailer hands mails to those who deliver them. It is safe for concurrent use.
type Mailer interface {
	// Mail hands m over once, within the mailer's own time limit or until ctx
	// ends. nil means that it was accepted, which is all that is known.
	// Otherwise the error is a *Failure:
	//
	//   - Maybe: it may have been accepted, because everything was on its way
	//     and no answer came. Handing it over again may make a second one.
	//   - Permanent: it would be refused again.
	//   - neither: it was not accepted, and may be later.
	Mail(ctx context.Context, m Mail) error
}

// Mailbox writes a name and an address as Mail.From and Mail.To take them
// (RFC 5322 section 3.4), whatever is in the name.
func Mailbox(name, address string) string {
	if name = oneLine(name); name == "" {
		return address
	}
	return (&mail.Address{Name: name, Address: address}).String()
}

// CheckMailbox says what is wrong with what is to be Mail.From or Mail.To,
// continuing a sentence that names it; "" for nothing. It does not quote it.
func CheckMailbox(s string) string {
	if _, err := parseMailbox(s); err != nil {
		return err.Error() + "; write one like it@example.com"
	}
	return ""
}

var errMailbox = errors.New("is not one plain e-mail address")

// parseMailbox reads one address. Forms with quotes, comments, groups or
// routes are refused, which mail servers read in more than one way: what
// stands in quotes could else end a command's `<…>` early and add to it. The
// domain comes back in the form of the DNS (RFC 5890).
func parseMailbox(s string) (*mail.Address, error) {
	box, err := mail.ParseAddress(s)
	if err != nil || len(box.Address) > 254 { // RFC 5321 section 4.5.3.1.3
		return nil, errMailbox
	}
	// A group of one, or one with a comment, parses as well.
	if s = strings.TrimSpace(s); s != box.Address && !strings.HasSuffix(s, ">") {
		return nil, errMailbox
	}
	local, domain, ok := strings.Cut(box.Address, "@")
	if !ok || local == "" || strings.ContainsFunc(local, notInLocalPart) {
		return nil, errMailbox
	}
	domain, err = idna.Lookup.ToASCII(domain)
	if err != nil || !domainName.MatchString(domain) {
		return nil, errMailbox
	}
	return &mail.Address{Name: oneLine(box.Name), Address: local + "@" + domain}, nil
}

var domainName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// notInLocalPart: all but atext and dots (RFC 5322 section 3.2.3), and beyond
// ASCII all but what can be seen (RFC 6531 section 3.3).
func notInLocalPart(r rune) bool {
	if r > unicode.MaxASCII {
		return !unicode.IsGraphic(r) || unicode.IsSpace(r)
	}
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r))
}

// oneLine has spaces in place of everything that could end a line or steer a
// terminal.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	return strings.TrimSpace(s)
}
