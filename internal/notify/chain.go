package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// ErrNoHook: no sender of that name is called back.
var ErrNoHook = errors.New("no sender of that name is called back")

// Named is a sender and the name of its kind, such as `telnyx`.
type Named struct {
	Name   string
	Sender Sender
}

// A Chain asks senders in order until one accepts. It is safe for concurrent
// use and holds nothing that must be closed.
//
// It does not trust its senders, some of which are other people's modules: a
// panic is a failure, a call that does not end is given up (see Patience), and
// what a failure says is cleared of number, code and words.
type Chain struct {
	links   []*link
	observe func(ctx context.Context, name string, m Message, err error)
}

// NewChain makes a chain of senders in the order in which they are asked.
// Their names are made unique by UniqueNames. observe is told of every attempt
// once it has ended, err being nil or a *Failure; it is called by Send before
// Send returns. It may be nil.
func NewChain(senders []Named, observe func(ctx context.Context, name string, m Message, err error)) *Chain {
	if observe == nil {
		observe = func(context.Context, string, Message, error) {}
	}
	names := make([]string, len(senders))
	for i, s := range senders {
		names[i] = s.Name
	}
	c := &Chain{observe: observe}
	for i, name := range UniqueNames(names) {
		c.links = append(c.links, &link{base: senders[i].Name, name: name, sender: senders[i].Sender})
	}
	return c
}

// UniqueNames gives the second `telnyx` the name `telnyx-2`, the third
// `telnyx-3`. The first keeps its own.
func UniqueNames(names []string) []string {
	unique := make([]string, 0, len(names))
	for _, base := range names {
		name := base
		for n := 2; slices.Contains(unique, name); n++ {
			name = base + "-" + strconv.Itoa(n)
		}
		unique = append(unique, name)
	}
	return unique
}

// Can reports whether any sender carries codes, or else notices, by this
// channel.
func (c *Chain) Can(channel Channel, notice bool) bool {
	return slices.ContainsFunc(c.links, func(l *link) bool { return l.Can(channel, notice) })
}

// Send asks the senders that can carry m, each once, until one accepts, and
// returns that one's unique name. It goes on after every failure, also after
// one that may have sent: both messages then hold the same code, so whichever
// comes first is right. Only a Checker's is not: its vendor makes a code of
// its own, which is of no use unless that sender was the one that accepted.
//
// The end of ctx does not stop a send: whoever closes the page leaves no
// message half sent. Each sender has its own limit, and at most Patience.
//
// The error is a *Failure. Its Maybe is true when any sender may have sent.
// Its Reason is the one that tells the person most: BadNumber, else Blocked,
// else Limited, else that of the first sender. Its Detail names every sender
// that was asked.
func (c *Chain) Send(ctx context.Context, m Message) (by string, err error) {
	ctx = context.WithoutCancel(ctx)
	var failures []*Failure
	var details []string
	for _, l := range c.links {
		if !l.Can(m.Channel, m.Notice()) {
			continue
		}
		err := l.Send(ctx, m)
		c.observe(ctx, l.name, m, err)
		if err == nil {
			return l.name, nil
		}
		failure := asFailure(err)
		failures = append(failures, failure)
		details = append(details, l.name+": "+failure.brief())
	}
	if len(failures) == 0 {
		return "", &Failure{Reason: Rejected, Detail: "no sender for this channel"}
	}
	most := slices.MinFunc(failures, func(a, b *Failure) int { return tells(a.Reason) - tells(b.Reason) })
	return "", &Failure{
		Reason: most.Reason,
		Maybe:  slices.ContainsFunc(failures, func(f *Failure) bool { return f.Maybe }),
		Detail: strings.Join(details, "; "),
	}
}

// tells ranks reasons by what a person can do about them: another number, wait.
func tells(r Reason) int {
	if i := slices.Index([]Reason{BadNumber, Blocked, Limited}, r); i >= 0 {
		return i
	}
	return 3
}

// Checker returns the sender of that unique name if its vendor checks codes.
func (c *Chain) Checker(name string) (Checker, bool) {
	for _, l := range c.links {
		if checker, ok := l.sender.(Checker); ok && l.name == name {
			return checked{l, checker}, true
		}
	}
	return nil, false
}

// Hook gives a call back to the senders of that kind, in order, until one does
// not refuse it: there may be two with a key each. ErrHookRefused when all do,
// ErrNoHook when there is none; any other error is our own trouble.
func (c *Chain) Hook(ctx context.Context, name string, header http.Header, body []byte) error {
	err := ErrNoHook
	for _, l := range c.links {
		hooked, ok := l.sender.(Hooked)
		if !ok || l.base != name {
			continue
		}
		err = l.call(ctx, func(ctx context.Context) error { return hooked.Hook(ctx, header, body) })
		if !errors.Is(err, ErrHookRefused) {
			return err
		}
	}
	return err
}

// checked is a Checker in a chain, with a chain's distrust.
type checked struct {
	*link
	checker Checker
}

// Check implements Checker.
func (c checked) Check(ctx context.Context, to phone.Number, code secret.Text) (bool, error) {
	// Not written by the call directly: one that was given up may end later,
	// while its result is being read here.
	result := make(chan bool, 1)
	err := c.call(ctx, func(ctx context.Context) error {
		right, err := c.checker.Check(ctx, to, code)
		result <- right
		return err
	})
	if err != nil {
		return false, scrub(asFailure(err), Message{To: to, Code: code})
	}
	return <-result, nil
}

// asFailure is err as a *Failure. One that is none has a text that nobody
// vouches for, so only its type is kept.
func asFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) && f != nil {
		return f
	}
	return &Failure{Reason: Broken, Maybe: true, Detail: fmt.Sprintf("an error of type %T instead of a failure", err)}
}

// brief is the failure without its preface.
func (f *Failure) brief() string {
	return strings.TrimPrefix(f.Error(), "not sent: ")
}

// scrub returns f with its detail cleared of what belongs to the message, and
// cut to a line's length: vendors like to quote the number that they refuse.
func scrub(f *Failure, m Message) *Failure {
	const longest = 300
	own := *f
	number := m.To.E164()
	for _, private := range []string{m.Words.Reveal(), number, strings.TrimPrefix(number, "+"), m.Code.Reveal()} {
		if private != "" {
			own.Detail = strings.ReplaceAll(own.Detail, private, secret.Redacted)
		}
	}
	if len(own.Detail) > longest {
		own.Detail = strings.ToValidUTF8(own.Detail[:longest], "") + "…"
	}
	return &own
}
