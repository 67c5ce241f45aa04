package testtools

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// ReceivedMail is a mail that a server has accepted, or that stands in a file.
type ReceivedMail struct {
	// From and To are the envelope's, not the header's.
	From string
	To   []string
	// Hello is what the client called itself, Username who it signed in as.
	Hello, Username string
	TLS             bool // whether the mail came over TLS
	UTF8            bool // whether SMTPUTF8 was asked for

	Raw    []byte // header and body, dots taken off
	Header mail.Header
	// Subject is decoded.
	Subject string
	// Parts are those of the body, decoded; one where it is not multipart.
	Parts []MailPart
	// Fault is what is wrong with the mail's form, "" for nothing.
	Fault string
}

// A MailPart is one form of a mail's text.
type MailPart struct {
	Type string // text/plain, text/html
	Text string // decoded, lines parted by "\n"
}

// ReadMail reads a mail from its text, as it stands in a file.
func ReadMail(raw []byte) (m ReceivedMail) {
	m.read(raw)
	return m
}

// Part returns the text of the first part of a type, "" where there is none.
func (m ReceivedMail) Part(typ string) string {
	for _, p := range m.Parts {
		if p.Type == typ {
			return p.Text
		}
	}
	return ""
}

func (m *ReceivedMail) read(raw []byte) {
	m.Raw = raw
	if err := m.parse(); err != nil {
		m.Fault = err.Error()
	}
}

func (m *ReceivedMail) parse() error {
	message, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return err
	}
	m.Header = message.Header
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return err
	}
	typ, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(typ, "multipart/") {
		return m.part(textproto.MIMEHeader(message.Header), message.Body)
	}
	for r := multipart.NewReader(message.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.part(p.Header, p); err != nil {
			return err
		}
	}
}

func (m *ReceivedMail) part(header textproto.MIMEHeader, body io.Reader) error {
	typ, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if strings.EqualFold(header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	m.Parts = append(m.Parts, MailPart{typ, strings.ReplaceAll(string(text), "\r\n", "\n")})
	return err
}
