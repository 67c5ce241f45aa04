package login

import (
	"context"
	"sync"
	"time"
)

// QueueTime is how long a password waits for its turn at most.
const QueueTime = time.Second

// QuietTime is how long nothing is hashed before the gate is quiet.
const QuietTime = 5 * time.Second

// HashGate bounds how many passwords and backup codes are hashed at once, and
// with that memory and processor time: argon2id takes 64 MiB each (SPEC B2).
// Waiting is fair per network, known browsers first, so that a flood from one
// network cannot keep the others out.
type HashGate struct {
	mu    sync.Mutex
	size  int
	free  int
	known waitList
	other waitList
	heavy *HashGate   // lets one run at once
	quiet *time.Timer // runs out QuietTime after the last hash

	telling sync.Mutex // held while follow runs; taken before mu
	follow  func(atOnce int)
	told    int // the most hashes at once that follow knows of
}

// NewHashGate lets n hashes run at once, n ≥ 1.
func NewHashGate(n int) *HashGate {
	return &HashGate{size: max(1, n), free: max(1, n), heavy: &HashGate{size: 1, free: 1}}
}

// Follow has f told how many hashes at once there have been since the gate was
// last quiet: before a hash begins that makes them more, and 0 when nothing has
// been hashed for QuietTime. A hash may wait for f; f is not called twice at once.
// Follow is called before the gate is used.
func (g *HashGate) Follow(f func(atOnce int)) {
	g.follow = f
	g.quiet = time.AfterFunc(QuietTime, func() {
		g.telling.Lock()
		defer g.telling.Unlock()
		g.mu.Lock()
		idle := g.free == g.size // else its end will start the timer anew
		g.mu.Unlock()
		if idle && g.told > 0 {
			g.told = 0
			f(0)
		}
	})
	g.quiet.Stop()
}

// tell tells of so many hashes at once, where there have not been so many.
func (g *HashGate) tell(atOnce int) {
	if g.follow == nil {
		return
	}
	g.telling.Lock()
	defer g.telling.Unlock()
	if atOnce > g.told {
		g.told = atOnce
		g.follow(atOnce)
	}
}

// waitList holds waiters by network; networks take turns.
type waitList struct {
	order   []string
	waiting map[string][]chan struct{}
}

// maxWaiting bounds the waiters of one network.
const maxWaiting = 64

// Enter waits for a turn, at most QueueTime. The caller calls leave after
// hashing. ErrBusy when no turn came.
func (g *HashGate) Enter(ctx context.Context, network string, known bool) (leave func(), err error) {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		atOnce := g.size - g.free
		g.mu.Unlock()
		g.tell(atOnce)
		return sync.OnceFunc(g.leave), nil
	}
	list := &g.other
	if known {
		list = &g.known
	}
	turn := list.add(network)
	g.mu.Unlock()
	if turn == nil {
		return nil, ErrBusy
	}
	timer := time.NewTimer(QueueTime)
	defer timer.Stop()
	select {
	case <-turn:
		return sync.OnceFunc(g.leave), nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = ErrBusy
	}
	g.mu.Lock()
	gone := list.remove(network, turn)
	g.mu.Unlock()
	if !gone { // the turn came while giving up: pass it on
		g.leave()
	}
	return nil, err
}

// EnterHeavy is Enter for an imported hash that takes more memory than a new
// one: of these only one runs at a time, so that the bound of memory holds.
func (g *HashGate) EnterHeavy(ctx context.Context, network string, known bool) (leave func(), err error) {
	leaveHeavy, err := g.heavy.Enter(ctx, network, known)
	if err != nil {
		return nil, err
	}
	leaveGate, err := g.Enter(ctx, network, known)
	if err != nil {
		leaveHeavy()
		return nil, err
	}
	return func() { leaveGate(); leaveHeavy() }, nil
}

// leave hands the turn to the next waiter.
func (g *HashGate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	turn := g.known.next()
	if turn == nil {
		turn = g.other.next()
	}
	if turn != nil {
		close(turn)
		return
	}
	if g.free++; g.free == g.size && g.quiet != nil {
		g.quiet.Reset(QuietTime)
	}
}

func (l *waitList) add(network string) chan struct{} {
	if l.waiting == nil {
		l.waiting = map[string][]chan struct{}{}
	}
	queue := l.waiting[network]
	if len(queue) >= maxWaiting {
		return nil
	}
	if len(queue) == 0 {
		l.order = append(l.order, network)
	}
	turn := make(chan struct{})
	l.waiting[network] = append(queue, turn)
	return turn
}

// next takes the first waiter of the network whose turn it is.
func (l *waitList) next() chan struct{} {
	if len(l.order) == 0 {
		return nil
	}
	network := l.order[0]
	l.order = l.order[1:]
	queue := l.waiting[network]
	turn := queue[0]
	if len(queue) == 1 {
		delete(l.waiting, network)
	} else {
		l.waiting[network] = queue[1:]
		l.order = append(l.order, network)
	}
	return turn
}

// remove takes a waiter out; false when its turn had come.
func (l *waitList) remove(network string, turn chan struct{}) bool {
	queue := l.waiting[network]
	for i, t := range queue {
		if t != turn {
			continue
		}
		if len(queue) > 1 {
			l.waiting[network] = append(queue[:i:i], queue[i+1:]...)
			return true
		}
		delete(l.waiting, network)
		for j, n := range l.order {
			if n == network {
				l.order = append(l.order[:j:j], l.order[j+1:]...)
				break
			}
		}
		return true
	}
	return false
}
