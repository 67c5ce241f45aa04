package testtools

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// smtpSession is one client's conversation after EHLO.
type smtpSession struct {
	server *SMTPServer
	conn   *smtp.Conn

	username string
	mail     ReceivedMail
}

var _ smtp.AuthSession = (*smtpSession)(nil)

// at notes that a stage is reached and returns its refusal.
func (s *smtpSession) at(stage SMTPStage) error {
	s.server.reached(stage, s.conn.Conn())
	return s.server.refusal(stage)
}

// AuthMechanisms implements smtp.AuthSession.
func (s *smtpSession) AuthMechanisms() []string {
	if s.server.options.Username == "" {
		return nil
	}
	return s.server.options.Mechanisms
}

// Auth implements smtp.AuthSession.
func (s *smtpSession) Auth(way string) (sasl.Server, error) {
	switch {
	case !slices.Contains(s.AuthMechanisms(), way):
	case way == sasl.Plain:
		return sasl.NewPlainServer(func(_, username, password string) error { return s.signIn(username, password) }), nil
	case way == sasl.Login:
		return &loginServer{signIn: s.signIn}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *smtpSession) signIn(username, password string) error {
	if err := s.at(SMTPAuth); err != nil {
		return err
	}
	if o := s.server.options; username != o.Username || password != o.Password {
		return SMTPReply{535, "5.7.8 Authentication credentials invalid"}.asError()
	}
	s.username = username
	return nil
}

// loginServer asks for the name and then for the password, as LOGIN does.
type loginServer struct {
	signIn   func(username, password string) error
	asked    int
	username string
}

// Next implements sasl.Server.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.username = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.signIn(l.username, string(response))
}

// Mail implements smtp.Session.
func (s *smtpSession) Mail(from string, o *smtp.MailOptions) error {
	if err := s.at(SMTPMail); err != nil {
		return err
	}
	if s.server.options.Username != "" && s.username == "" {
		return SMTPReply{530, "5.7.0 Authentication required"}.asError()
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mail = ReceivedMail{From: from, Hello: s.conn.Hostname(), Username: s.username, TLS: encrypted, UTF8: o.UTF8}
	return nil
}

// Rcpt implements smtp.Session.
func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = append(s.mail.To, to)
	return s.at(SMTPRcpt)
}

// Data implements smtp.Session.
func (s *smtpSession) Data(r io.Reader) error {
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		return err
	}
	s.server.reached(SMTPContent, s.conn.Conn())
	if err := plainConn(s.conn.Conn()).stopHere(); err != nil {
		return err
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.at(SMTPDot); err != nil {
		return err
	}
	s.mail.read(bytes.Join([][]byte{first, rest}, nil))
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

// stopHere misbehaves while a mail is read: the server writes nothing then.
func (c *smtpConn) stopHere() error {
	c.mu.Lock()
	fault := c.fault
	c.mu.Unlock()
	switch fault {
	case smtpCut:
		_ = c.Close()
	case smtpSilent:
		<-c.closed
	default:
		return nil
	}
	return errors.New("the server stopped here")
}

// Reset implements smtp.Session.
func (s *smtpSession) Reset() {}

// Logout implements smtp.Session.
func (s *smtpSession) Logout() error { return nil }

// asError is the reply as go-smtp takes it.
func (r SMTPReply) asError() error {
	e := &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.NoEnhancedCode, Message: r.Text}
	code, text, _ := strings.Cut(r.Text, " ")
	if parts := strings.Split(code, "."); len(parts) == 3 {
		e.Message = text
		for i, part := range parts {
			n, err := strconv.Atoi(part)
			if err != nil {
				return &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.NoEnhancedCode, Message: r.Text}
			}
			e.EnhancedCode[i] = n
		}
	}
	return e
}
