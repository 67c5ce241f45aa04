package caddymodule

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// goodbye is what the client of a WebSocket is told (RFC 6455 section 7.4). The
// reason has at most 123 bytes.
type goodbye struct {
	code   uint16
	reason string
}

// How a connection ends: 1008 says that it is of no use to come back as one
// was, 1013 and 1001 that it is.
var (
	overGoodbye     = goodbye{1008, "your access has ended"}
	unsureGoodbye   = goodbye{1013, "try again later"}
	stoppingGoodbye = goodbye{1001, "going away"}
)

// proof is what a connection was opened with, and ends with.
type proof struct {
	id      string // one for each session
	account account.ID
	// ask asks the stores what the proof is worth now. used is when one of its
	// connections was last used, zero for not since the last call.
	// session.ErrNotFound: it is worth nothing any more.
	ask func(ctx context.Context, used time.Time) (standing, error)
}

// standing is what a proof is worth.
type standing struct {
	person access.Person
	// level is what was proved for a host; false for nothing.
	level func(host string) (session.Level, bool)
	until time.Time // when it ends if it is not used any more
}

// openConn is a connection that outlives the decision to let it pass.
type openConn struct {
	kind    string // of the metric
	host    string
	address netip.Addr       // of the client, as networks are compared
	options []access.Options // all of what the site asked at the beginning
	bypass  bool             // nobody was asked
	// end ends the connection, and may take goodbyeWait. used reports, and
	// forgets, that the client sent something.
	end  func(goodbye)
	used func() bool
}

// stands reports whether the connection would still be let pass.
func (c *openConn) stands(s standing) bool {
	if c.bypass {
		return true // but its app was told who it is
	}
	level, ok := s.level(c.host)
	// Where it was opened from stays as it was; what was proved lately enough
	// at the beginning is enough.
	now := time.Now()
	v := access.Visitor{Person: s.person, Level: level, PasswordAt: now, FactorAt: now, Client: c.address, Now: now}
	return ok && access.DecideAll(c.options, v).Allowed
}

// holder has the connections of one proof.
type holder struct {
	proof
	conns map[*openConn]struct{}
	// doubt is since when it is not sure that the proof stands; zero when it
	// is. next is when the stores are asked without a reason.
	doubt, next time.Time
	used        time.Time // the newest use that is not told yet
	told        time.Time // when a use was last told

	queued bool // to be asked for
	hasty  bool // and before others
	asking bool // being asked for now
	again  bool // something changed meanwhile
}

// longLived knows the open connections of this process. It lives with the
// engine: a reload of the configuration is nothing to it. It is told of changes
// as a session.Listener, and asks the stores itself, once for all connections of
// a session. It knows neither configurations nor guards.
type longLived struct {
	log   *slog.Logger
	now   func() time.Time
	gauge *prometheus.GaugeVec

	wake chan struct{} // there is somebody to ask for

	mu        sync.Mutex
	byProof   map[string]*holder
	byAccount map[account.ID]map[*holder]struct{}
	heard     bool // changes are being heard
	closed    bool
	asked     int // how many are being asked for
	turn      int // of stagger
	// soon are those of whom something was heard; they come before others.
	soon, later []*holder
}

func newLongLived(log *slog.Logger, now func() time.Time, gauge *prometheus.GaugeVec) *longLived {
	return &longLived{
		log: log, now: now, gauge: gauge, wake: make(chan struct{}, 1),
		byProof: map[string]*holder{}, byAccount: map[account.ID]map[*holder]struct{}{},
	}
}

// add takes in a connection that p opened. The stores are asked about p at
// once: a change may have been told between the decision and this call. remove
// is called when the connection is gone; it may be called again.
func (l *longLived) add(p proof, c *openConn) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		go c.end(stoppingGoodbye)
		return func() {}
	}
	h := l.byProof[p.id]
	if h == nil {
		now := l.now()
		h = &holder{proof: p, conns: map[*openConn]struct{}{}, told: now}
		l.byProof[p.id] = h
		if l.byAccount[p.account] == nil {
			l.byAccount[p.account] = map[*holder]struct{}{}
		}
		l.byAccount[p.account][h] = struct{}{}
	}
	h.conns[c] = struct{}{}
	l.gauge.WithLabelValues(c.kind).Inc()
	l.doubt(h)
	return sync.OnceFunc(func() { l.remove(h, c) })
}

func (l *longLived) remove(h *holder, c *openConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gauge.WithLabelValues(c.kind).Dec()
	delete(h.conns, c)
	if len(h.conns) == 0 {
		l.drop(h)
	}
}

// drop forgets a holder; there may be another one of its proof.
func (l *longLived) drop(h *holder) {
	if l.byProof[h.id] == h {
		delete(l.byProof, h.id)
	}
	delete(l.byAccount[h.account], h)
	if len(l.byAccount[h.account]) == 0 {
		delete(l.byAccount, h.account)
	}
}

// end ends all connections of a holder.
func (l *longLived) end(h *holder, g goodbye, why string) {
	if len(h.conns) == 0 {
		return
	}
	l.log.Info("open connections end", "why", why, "account", string(h.account), "connections", len(h.conns))
	for c := range h.conns {
		go c.end(g)
	}
	clear(h.conns)
	l.drop(h)
}

// SessionChanged implements session.Listener.
func (l *longLived) SessionChanged(id session.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.byProof[sessionProof(id)]; h != nil {
		l.doubt(h)
	}
}

// AccountChanged implements session.Listener.
func (l *longLived) AccountChanged(id account.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h := range l.byAccount[id] {
		l.doubt(h)
	}
}

// Reset implements session.Listener.
func (l *longLived) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.byProof {
		l.unsure(h)
		l.enqueue(h, &l.later)
	}
}

// Live implements session.Listener. While changes are not heard the stores are
// asked regularly.
func (l *longLived) Live(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = on
	for _, h := range l.byProof {
		if !on {
			l.unsure(h)
		}
	}
}

// close ends all connections, and those that come later.
func (l *longLived) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, h := range l.byProof {
		l.end(h, stoppingGoodbye, "the stores are closed")
	}
	l.soon, l.later = nil, nil
}

// sessionProof is the name of a session among proofs.
func sessionProof(id session.ID) string { return "session/" + string(id) }

var _ session.Listener = (*longLived)(nil)
