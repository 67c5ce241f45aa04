package notify

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// Patience is how long a chain waits for one sender, whatever limit that
	// sender has of its own.
	Patience = 10 * time.Second
	// mostGivenUp is how many calls of one sender may still run after they
	// were given up.
	mostGivenUp = 8
)

var (
	errGivenUp = &Failure{Reason: Timeout, Maybe: true, Detail: "the sender kept neither its time limit nor ours"}
	errStuck   = &Failure{Reason: Timeout, Detail: "not asked: too many earlier calls of this sender have not ended"}
)

// A link is one sender of a chain, which is not trusted to end or to stay
// upright.
//
// A call that outlasts Patience is given up: its context has ended, and nobody
// waits for it any more. Go can't stop a call by force, so one that pays no
// heed to its context goes on and may still send; it is reported as one that
// may have sent, and a late message holds the same code. While mostGivenUp
// such calls run, the sender is passed over, so that they can't pile up.
type link struct {
	base   string // the kind: telnyx
	name   string // unique in the chain: telnyx-2
	sender Sender

	givenUp atomic.Int32 // calls that were given up and still run
}

// Can implements Sender.
func (l *link) Can(c Channel, notice bool) (can bool) {
	defer func() {
		if recover() != nil {
			can = false
		}
	}()
	return l.sender.Can(c, notice)
}

// Send implements Sender.
func (l *link) Send(ctx context.Context, m Message) error {
	err := l.call(ctx, func(ctx context.Context) error { return l.sender.Send(ctx, m) })
	if err == nil {
		return nil
	}
	return scrub(asFailure(err), m)
}

// call runs f with a context that ends after Patience and not before. A panic
// becomes a *Failure that keeps nothing but the panic's type: its text may
// hold anything.
func (l *link) call(ctx context.Context, f func(context.Context) error) error {
	if l.givenUp.Load() >= mostGivenUp {
		return errStuck
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
	defer cancel()
	var over atomic.Bool // set by what comes first: the call's end, or the end of the wait
	done := make(chan error, 1)
	go func() {
		var err error = &Failure{Reason: Broken, Maybe: true, Detail: "the sender ended its goroutine"}
		defer func() {
			if v := recover(); v != nil {
				err = &Failure{Reason: Broken, Maybe: true, Detail: fmt.Sprintf("the sender panicked with a %T", v)}
			}
			done <- err
			if !over.CompareAndSwap(false, true) {
				l.givenUp.Add(-1)
			}
		}()
		err = f(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	l.givenUp.Add(1)
	if over.CompareAndSwap(false, true) {
		return errGivenUp
	}
	l.givenUp.Add(-1) // it ended just now
	return <-done
}
