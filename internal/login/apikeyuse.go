package login

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// maxKeyUses is how many uses of API keys may wait to be written.
const maxKeyUses = 1000

// keyUses are those that wait, and whether they are being written. Its zero value
// is ready.
type keyUses struct {
	mu      sync.Mutex
	waiting []keyUse
	writing bool
}

type keyUse struct {
	entry *session.Entry
	at    time.Time
}

// UsedAPIKey notes that a key was used: in the store once a minute, and behind
// the request, which does not wait for that. One after the other is written, so
// that programs that come at once leave the store to people. Where that could not
// be done, or too many wait already, the key's next request tries again.
func (m *Machine) UsedAPIKey(e *session.Entry) {
	now := m.Now()
	if !e.DueTouch(now) {
		return
	}
	u := &m.keyUses
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.waiting) >= maxKeyUses {
		e.TouchFailed(now)
		return
	}
	u.waiting = append(u.waiting, keyUse{e, now})
	if !u.writing {
		u.writing = true
		go m.writeKeyUses()
	}
}

// writeKeyUses writes what waits until there is nothing any more.
func (m *Machine) writeKeyUses() {
	for {
		use, some := m.keyUses.next()
		if !some {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), session.MaxAge)
		err := m.APIKeys.TouchAPIKey(ctx, use.entry.APIKey.ID, use.at)
		cancel()
		if err != nil {
			use.entry.TouchFailed(use.at)
			if m.KeyUseLost != nil {
				m.KeyUseLost(err)
			}
		}
	}
}

func (u *keyUses) next() (use keyUse, some bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.waiting) == 0 {
		u.waiting, u.writing = nil, false
		return keyUse{}, false
	}
	use, u.waiting = u.waiting[0], u.waiting[1:]
	return use, true
}
