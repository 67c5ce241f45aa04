package caddymodule

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

const (
	// unsureFor is how long connections live on while it is not sure that they
	// may: nothing is heard, and the stores do not answer.
	unsureFor = 5 * time.Second
	// askAnyway is after how long the stores are asked about a session of which
	// nothing was heard; up to as much again is added, so that not all are asked
	// for together. askUnheard is how often while changes are not heard, and
	// askAgain how soon after a failure.
	askAnyway  = 20 * time.Second
	askUnheard = 2 * time.Second
	askAgain   = time.Second
	// askLimit is how long an answer may take, askedAtOnce for how many sessions
	// the stores are asked at the same time.
	askLimit    = 2 * time.Second
	askedAtOnce = 8
	// tellEvery is how often the use of a session is written, and lookEvery how
	// often it is looked at what has become due.
	tellEvery = time.Minute
	lookEvery = time.Second
)

// run asks the stores until ctx ends. Then nobody can tell any more whether a
// connection may stay, and all end.
func (l *longLived) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	defer l.close()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-tick.C:
			l.look()
		}
		for h, used := l.take(); h != nil; h, used = l.take() {
			workers.Go(func() { l.askFor(ctx, h, used) })
		}
	}
}

// look finds what has become due, and ends what was in doubt for too long.
func (l *longLived) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, h := range l.byProof {
		if !h.doubt.IsZero() && now.Sub(h.doubt) >= unsureFor {
			l.end(h, unsureGoodbye, "the stores cannot be asked")
			continue
		}
		if now.Sub(h.told) >= tellEvery && h.wasUsed() {
			h.used, h.told, h.next = now, now, now
		}
		if !h.asking && !now.Before(h.next) {
			l.enqueue(h, &l.later)
		}
	}
}

// wasUsed reports whether a client sent anything since it was last asked.
func (h *holder) wasUsed() (used bool) {
	for c := range h.conns {
		used = c.used() || used
	}
	return used
}

// doubt has the stores asked about a holder of whom something was heard.
func (l *longLived) doubt(h *holder) {
	l.unsure(h)
	l.enqueue(h, &l.soon)
}

func (l *longLived) unsure(h *holder) {
	now := l.now()
	if h.doubt.IsZero() {
		h.doubt = now
	}
	h.next = now
}

func (l *longLived) enqueue(h *holder, queue *[]*holder) {
	switch {
	case h.asking:
		h.again = true // what is being read may be older than the change
		return
	case h.queued && (h.hasty || queue == &l.later):
		return
	}
	h.queued, h.hasty = true, queue == &l.soon
	*queue = append(*queue, h)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take gives the next to be asked for; nil when there is none, or when so many
// are being asked for already.
func (l *longLived) take() (h *holder, used time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.asked < askedAtOnce && len(l.soon)+len(l.later) > 0 {
		queue := &l.soon
		if len(*queue) == 0 {
			queue = &l.later
		}
		h, *queue = (*queue)[0], (*queue)[1:]
		if !h.queued || h.asking || len(h.conns) == 0 {
			continue // it was in both, or is gone
		}
		h.queued, h.asking, h.again = false, true, false
		used, h.used = h.used, time.Time{}
		l.asked++
		return h, used
	}
	return nil, time.Time{}
}

// askFor asks for one, and then for others while there are any.
func (l *longLived) askFor(ctx context.Context, h *holder, used time.Time) {
	for h != nil {
		began := l.now()
		try, stop := context.WithTimeout(ctx, askLimit)
		now, err := h.ask(try, used)
		stop()
		l.judge(h, used, began, now, err)
		h, used = l.take()
	}
}

// judge draws the conclusion from what the stores said.
func (l *longLived) judge(h *holder, used, began time.Time, now standing, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked--
	h.asking = false
	switch {
	case err == nil:
		l.endRefused(h, now)
		h.doubt = time.Time{}
		h.next = earlier(began.Add(askAnyway+l.stagger()), now.until)
		if !l.heard {
			h.doubt, h.next = began, earlier(began.Add(askUnheard), now.until)
		}
	case errors.Is(err, session.ErrNotFound):
		l.end(h, overGoodbye, "the session has ended")
		return
	default:
		if h.doubt.IsZero() {
			h.doubt = began
		}
		if h.used.IsZero() {
			h.used = used // it was not written
		}
		h.next = l.now().Add(askAgain)
	}
	if h.again {
		l.doubt(h)
	}
}

// endRefused ends the connections of a holder that would not be let pass now.
func (l *longLived) endRefused(h *holder, now standing) {
	refused := &holder{proof: h.proof, conns: map[*openConn]struct{}{}}
	for c := range h.conns {
		if !c.stands(now) {
			refused.conns[c] = struct{}{}
			delete(h.conns, c)
		}
	}
	if len(refused.conns) > 0 {
		l.end(refused, overGoodbye, "the account may not be here any more")
	}
	if len(h.conns) == 0 {
		l.drop(h)
	}
}

// stagger gives each call another wait, from nothing to askAnyway.
func (l *longLived) stagger() time.Duration {
	l.turn++
	return time.Duration(l.turn) * lookEvery % askAnyway
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
