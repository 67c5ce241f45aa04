package notify

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/textproto"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// leaveTime is how long a server may take to say good-bye, once it has taken
// or refused the mail.
const leaveTime = time.Second

// A conversation is the handing over of one letter to a server.
//
// It goes step by step itself, and takes from go-mail the commands and not its
// Client. By that one's errors a mail that was lost on its way is no different
// from one that was taken without an answer (both are ErrSMTPDataClose); a
// half written mail it ends with a dot, by saying QUIT after it; and where
// signing in fails it leaves the connection open.
type conversation struct {
	config SMTPConfig
	tls    *tls.Config
	conn   net.Conn
	letter letter

	client *smtp.Client
	body   io.WriteCloser
	// unanswered: the letter went out to its end, and no answer came.
	unanswered bool
}

// exchange is one command with its answer. Its name is what failures tell.
type exchange struct {
	name string
	do   func() error
}

const (
	stepConnect = "connecting"
	stepTLS     = "STARTTLS"
	stepAuth    = "AUTH"
	stepMail    = "MAIL"
	stepRcpt    = "RCPT"
	stepData    = "DATA"
	stepMessage = "the mail itself"
)

func (c *conversation) exchanges() []exchange {
	return []exchange{
		{"the greeting", c.greet},
		{"EHLO", func() error { return c.client.Hello(ownName(c.conn.LocalAddr())) }},
		{stepTLS, c.startTLS},
		{stepAuth, c.signIn},
		{stepMail, c.mail},
		{stepRcpt, func() error { return c.client.Rcpt("<" + c.letter.to + ">") }},
		{stepData, c.data},
		{stepMessage, c.message},
	}
}

// greet waits for the server's first line.
func (c *conversation) greet() (err error) {
	conn := c.conn
	if c.config.Security == ImplicitTLS {
		conn = tls.Client(conn, c.tls)
	}
	c.client, err = smtp.NewClient(conn, c.config.Host)
	return err
}

// startTLS turns to TLS. What the server has said before is forgotten with it:
// it may have been somebody on the way.
func (c *conversation) startTLS() error {
	if c.config.Security != StartTLS {
		return nil
	}
	if offered, _ := c.client.Extension("STARTTLS"); !offered {
		return &Failure{Reason: Unreachable, Detail: "the server does not offer STARTTLS, so everything could be read on its way"}
	}
	return c.client.StartTLS(c.tls)
}

// mail names the sender. SMTPUTF8 is asked for only where it is needed: a
// server that says it can may still know the next one that cannot.
func (c *conversation) mail() error {
	if able, _ := c.client.Extension("SMTPUTF8"); c.letter.utf8 && !able {
		return &Failure{Reason: Rejected, Permanent: true, Detail: "the server takes no addresses beyond ASCII (SMTPUTF8)"}
	}
	c.client.SkipSMTPUTF8(!c.letter.utf8)
	return c.client.Mail("<" + c.letter.from + ">")
}

func (c *conversation) data() (err error) {
	c.body, err = c.client.Data()
	return err
}

// message sends the letter with its final dot and waits for the answer.
func (c *conversation) message() error {
	if _, err := c.body.Write(c.letter.text); err != nil {
		return err
	}
	err := c.body.Close() // what it tells is the answer, not whether the dot went out
	// A buffer keeps its first error. Without one, the connection took
	// everything down to the dot. With one, the server has no whole mail,
	// whatever it says.
	if cut := c.client.Text.W.Flush(); cut != nil {
		if reply := (*textproto.Error)(nil); errors.As(err, &reply) && reply.Code >= 400 {
			return reply // why it left in the middle
		}
		return cut
	}
	reply := (*textproto.Error)(nil)
	if !errors.As(err, &reply) {
		c.unanswered = err != nil
		return err
	}
	// The first digit is what counts (RFC 5321 section 4.2.1).
	switch reply.Code / 100 {
	case 2:
		return nil
	case 4, 5:
		return reply
	}
	c.unanswered = true
	return reply
}

// leave says good-bye, as a client has to (RFC 5321 section 4.1.1.10). Nothing
// depends on what comes of it.
func (c *conversation) leave() {
	if c.client == nil {
		return
	}
	_ = c.conn.SetDeadline(time.Now().Add(leaveTime))
	_ = c.client.Quit()
}
