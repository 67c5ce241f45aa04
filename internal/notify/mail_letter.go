package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/mail"
	"regexp"
	"strings"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// A letter is a mail as it goes over the wire: whom it is from and to, and its
// text. The same Mail makes the same letter, byte for byte.
type letter struct {
	from, to string // addresses alone
	utf8     bool   // one of them is beyond ASCII (RFC 6531)
	text     []byte // header and body, lines ended by CRLF
}

var (
	mailID   = regexp.MustCompile(`^[A-Za-z2-7]{26}$`)
	language = regexp.MustCompile(`^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,8}$`)
)

// write makes a letter of a mail. What could add a line to the header is
// refused, or in the subject and in names made harmless. The errors quote
// nothing of the mail.
func (m Mail) write(as gomail.Encoding) (letter, error) {
	from, err := parseMailbox(m.From)
	if err != nil {
		return letter{}, errors.New("the sender " + err.Error())
	}
	to, err := parseMailbox(m.To)
	if err != nil {
		return letter{}, errors.New("the recipient " + err.Error())
	}
	switch {
	case !mailID.MatchString(m.ID):
		return letter{}, errors.New("the mail's ID is not 26 characters of base32")
	case m.Language != "" && !language.MatchString(m.Language):
		return letter{}, errors.New("the language is not a language tag")
	case m.Date.IsZero():
		return letter{}, errors.New("the mail has no date")
	case m.Text.IsZero():
		return letter{}, errors.New("the mail has no text")
	}
	l := letter{from: from.Address, to: to.Address, utf8: beyondASCII(from.Address + to.Address)}
	var b bytes.Buffer
	if _, err := m.message(from, to, as).WriteTo(&b); err != nil {
		return letter{}, errors.New("the mail could not be written")
	}
	l.text = b.Bytes()
	return l, nil
}

// forServers is how texts are encoded on their way: no line is too long, and
// none needs 8BITMIME.
const forServers = gomail.EncodingQP

// forReaders leaves texts as they are, so that a link can be taken out of a file
// as it stands; but for lines that are longer than a mail may have
// (RFC 5322 section 2.1.1).
func (m Mail) forReaders() gomail.Encoding {
	for line := range strings.SplitSeq(m.Text.Reveal()+"\n"+m.HTML.Reveal(), "\n") {
		if len(line) > 990 {
			return forServers
		}
	}
	return gomail.NoEncoding
}

// message is the mail as go-mail takes it.
func (m Mail) message(from, to *mail.Address, as gomail.Encoding) *gomail.Msg {
	message := gomail.NewMsg(
		gomail.WithEncoding(as),
		gomail.WithBoundary(m.boundary()),
		gomail.WithNoDefaultUserAgent(), // what we are made of is nobody's business
	)
	message.FromMailAddress(from)
	message.ToMailAddress(to)
	message.Subject(shortened(oneLine(m.Subject)))
	message.SetDateWithValue(m.Date)
	_, domain, _ := strings.Cut(from.Address, "@")
	message.SetMessageIDWithValue(m.ID + "@" + domain)
	// Nobody's holiday notice is to answer (RFC 3834 section 5).
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.Language != "" {
		message.SetGenHeader(gomail.HeaderContentLang, m.Language)
	}
	message.SetBodyString(gomail.TypeTextPlain, m.Text.Reveal())
	if !m.HTML.IsZero() {
		message.AddAlternativeString(gomail.TypeTextHTML, m.HTML.Reveal())
	}
	return message
}

// boundary parts text and HTML. It is not random, so that each attempt is the
// same; and no text holds its own hash, so that none can end its part early.
func (m Mail) boundary() string {
	sum := sha256.Sum256([]byte(m.ID + "\x00" + m.Text.Reveal() + "\x00" + m.HTML.Reveal()))
	return hex.EncodeToString(sum[:20])
}

func shortened(subject string) string {
	if letters := []rune(subject); len(letters) > longestSubject {
		return string(letters[:longestSubject]) + "…"
	}
	return subject
}

func beyondASCII(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}
