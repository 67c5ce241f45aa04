package notify

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
)

// mailFailure names what went wrong at a step. Of the server's own words
// nothing is kept but its codes: they quote addresses and texts. Maybe is for
// the caller to set.
func mailFailure(ctx context.Context, step string, err error) *Failure {
	var (
		known     *Failure
		reply     *textproto.Error
		malformed textproto.ProtocolError
		base      base64.CorruptInputError
		noTLS     tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &known):
		own := *known
		return &own
	case errors.As(err, &reply):
		return replyFailure(step, reply)
	case errors.As(err, &malformed), errors.As(err, &base):
		return &Failure{Reason: Broken, Detail: "what was said is no answer of SMTP, at " + step}
	case errors.Is(err, errTooLong):
		return &Failure{Reason: Broken, Detail: errTooLong.Error() + ", at " + step}
	case errors.As(err, &noTLS):
		return &Failure{Reason: Unreachable, Detail: "the server does not speak TLS, at " + step}
	}
	f := connectionFailure(ctx, err, true)
	f.Maybe = false
	if step != stepConnect {
		f.Detail += ", at " + step
	}
	return f
}

// replyFailure is a refusal. Its first digit says whether it is for now or for
// good (RFC 5321 section 4.2.1); for good it is only about this mail, and so
// only in answer to what this mail brought up.
func replyFailure(step string, reply *textproto.Error) *Failure {
	f := &Failure{Reason: Broken, Detail: replyText(step, reply)}
	switch {
	case reply.Code/100 == 4:
		f.Reason = Deferred
	case reply.Code/100 != 5:
	case step == stepAuth, slices.Contains([]int{530, 534, 535, 538}, reply.Code): // RFC 4954 section 6
		f.Reason = Credentials
	case slices.Contains([]string{stepMail, stepRcpt, stepData, stepMessage}, step):
		f.Reason, f.Permanent = Rejected, true
	}
	return f
}

// enhanced is a status code of RFC 3463, where the server says it.
var enhanced = regexp.MustCompile(`^[245]\.([0-7])\.\d{1,3}\b`)

// subjects are what the second digit is about (RFC 3463 section 3).
var subjects = [...]string{"", "address", "mailbox", "mail system", "network", "protocol", "content", "security or policy"}

// replyText is a reply for the log: `SMTP 550 5.1.1 (address), at RCPT`.
func replyText(step string, reply *textproto.Error) string {
	said := "SMTP " + strconv.Itoa(reply.Code)
	if m := enhanced.FindStringSubmatch(reply.Msg); m != nil {
		said += " " + m[0]
		if about := subjects[m[1][0]-'0']; about != "" {
			said += " (" + about + ")"
		}
	}
	return fmt.Sprintf("%s, at %s", said, step)
}
