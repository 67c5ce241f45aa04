package testtools

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// An SMTPStage is a point of the conversation, named by what the client has
// just said: a server that does something at SMTPMail has read MAIL and has
// not answered it.
type SMTPStage string

// The stages in their order.
const (
	SMTPGreeting SMTPStage = "greeting"      // connected
	SMTPHello    SMTPStage = "EHLO"          // again after STARTTLS
	SMTPStartTLS SMTPStage = "TLS handshake" // begun, after STARTTLS or at once
	SMTPAuth     SMTPStage = "AUTH"          // name and password are said
	SMTPMail     SMTPStage = "MAIL"
	SMTPRcpt     SMTPStage = "RCPT"
	SMTPData     SMTPStage = "DATA"
	SMTPContent  SMTPStage = "content" // in the middle of the mail
	SMTPDot      SMTPStage = "dot"     // the mail is read to its end and kept
	SMTPQuit     SMTPStage = "QUIT"    // the mail was answered with 250
)

// SMTPOptions is how an SMTPServer differs from one that offers STARTTLS and
// takes every mail from everybody.
type SMTPOptions struct {
	ImplicitTLS bool // TLS from the first byte
	NoTLS       bool // neither that nor STARTTLS
	UTF8        bool // offers SMTPUTF8
	// Username and Password, where set, are asked for before MAIL.
	Username, Password string
	Mechanisms         []string // of AUTH; nil: PLAIN and LOGIN
	// Names are the names and addresses in the certificate; nil: 127.0.0.1 and
	// localhost.
	Names  []string
	MaxTLS uint16 // the highest version of TLS, such as tls.VersionTLS11; 0: any
}

// An SMTPReply is a refusal: `SMTPReply{550, "5.1.1 no such user"}`.
type SMTPReply struct {
	Code int
	Text string
}

// An SMTPServer is a mail server on a loopback port, which keeps the mails
// that it takes and can be told to misbehave. It ends with its test.
type SMTPServer struct {
	Host string // 127.0.0.1
	Port int
	// Roots has the authority that signed the server's certificate, and
	// RootsFile is the same as PEM, for SSL_CERT_FILE.
	Roots     *x509.CertPool
	RootsFile string

	options SMTPOptions
	server  *smtp.Server
	wrap    func(net.Listener) net.Listener // TLS, where it begins with the first byte

	mu       sync.Mutex
	door     net.Listener
	serving  sync.WaitGroup
	refusals map[SMTPStage][]SMTPReply
	faults   map[SMTPStage]smtpFault
	mails    []ReceivedMail
	stages   []SMTPStage
	conns    []*smtpConn
}

// SMTP starts a mail server.
func SMTP(t testing.TB, o SMTPOptions) *SMTPServer {
	t.Helper()
	if o.Mechanisms == nil {
		o.Mechanisms = []string{"PLAIN", "LOGIN"}
	}
	if o.Names == nil {
		o.Names = []string{"127.0.0.1", "localhost"}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &SMTPServer{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, options: o,
		refusals: map[SMTPStage][]SMTPReply{}, faults: map[SMTPStage]smtpFault{},
	}
	certificate, roots, file := newAuthority(t, o.Names)
	s.Roots, s.RootsFile = roots, file
	s.serve(t, l, &tls.Config{
		Certificates: []tls.Certificate{certificate}, MaxVersion: o.MaxTLS,
		// A ticket would be one write more, which smtpConn counts.
		SessionTicketsDisabled: true,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			s.reached(SMTPStartTLS, hello.Conn)
			return nil, nil
		},
	})
	return s
}

func (s *SMTPServer) serve(t testing.TB, l net.Listener, config *tls.Config) {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s.reached(SMTPHello, c.Conn())
		return &smtpSession{server: s, conn: c}, s.refusal(SMTPHello)
	}))
	server.Domain = "mail.example.com"
	server.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableSMTPUTF8 = s.options.UTF8
	server.AllowInsecureAuth = s.options.NoTLS
	s.wrap = func(l net.Listener) net.Listener { return l }
	switch {
	case s.options.ImplicitTLS:
		s.wrap = func(l net.Listener) net.Listener { return tls.NewListener(l, config) }
	case !s.options.NoTLS:
		server.TLSConfig = config
	}
	s.server = server
	s.open(l)
	t.Cleanup(func() {
		s.release() // or closing would wait for those that are silent
		_ = server.Close()
		s.Away() // Serve may not have begun, so that the server does not know of the door
		s.serving.Wait()
	})
}

// Address is the server's host and port.
func (s *SMTPServer) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

func (s *SMTPServer) open(l net.Listener) {
	s.mu.Lock()
	s.door = l
	s.mu.Unlock()
	s.serving.Go(func() { _ = s.server.Serve(s.wrap(smtpListener{l, s})) }) // it ends when the listener is closed
}

// Away stops listening, so that connections are refused; those that there are
// stay. Back listens at the same port again.
func (s *SMTPServer) Away() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.door.Close()
}

// Back ends what Away began.
func (s *SMTPServer) Back(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	s.open(l)
}

// Refuse answers the next times a stage is reached with replies, one after
// the other, and then no more. It can refuse EHLO, AUTH, MAIL, RCPT and the
// mail itself (SMTPDot).
func (s *SMTPServer) Refuse(stage SMTPStage, replies ...SMTPReply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals[stage] = append(s.refusals[stage], replies...)
}

// Greylist answers the next n recipients as servers answer strangers.
func (s *SMTPServer) Greylist(n int) {
	s.Refuse(SMTPRcpt, slices.Repeat([]SMTPReply{{451, "4.7.1 Greylisted, please try again in 300 seconds"}}, n)...)
}

// Cut ends each connection at a stage, without an answer.
func (s *SMTPServer) Cut(stage SMTPStage) { s.fault(stage, smtpCut) }

// Silence goes on listening at a stage, and never answers again.
func (s *SMTPServer) Silence(stage SMTPStage) { s.fault(stage, smtpSilent) }

// Heal ends what Cut and Silence have begun, for connections to come.
func (s *SMTPServer) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// Mails returns what was accepted so far, also what was accepted without an
// answer (SMTPDot), in order.
func (s *SMTPServer) Mails() []ReceivedMail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Stages returns the stages that all connections have reached so far, in order.
func (s *SMTPServer) Stages() []SMTPStage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.stages)
}

// Await returns all mails once there are n, and fails the test where they do
// not come within 10 seconds.
func (s *SMTPServer) Await(t testing.TB, n int) []ReceivedMail {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		mails := s.Mails()
		if len(mails) >= n {
			return mails
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d mails within 10 s, want %d", len(mails), n)
		}
	}
}
