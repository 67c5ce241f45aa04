package assertion

import (
	"sync"
	"sync/atomic"
	"time"
)

// Kept keeps the newest assertion of one session at one host, so that a
// signature is made every three minutes and not for every request. The zero
// value keeps none. It is safe for concurrent use.
type Kept struct {
	last    atomic.Pointer[kept]
	signing sync.Mutex
}

// kept is an assertion with what it was made from.
type kept struct {
	of          *Identity
	key         string
	made, renew time.Time
	text        string
}

// Text is an assertion that says exactly this identity, is signed by the key
// that signs now, and has RenewBefore left, or as much as there can be where
// the session ends sooner. One request at a time signs; others that need the
// same wait for it, which takes less than making their own. The identity is
// kept, so nobody may change it any more.
func (k *Kept) Text(keys *Keys, of *Identity, now time.Time) (string, error) {
	if last := k.last.Load(); last.good(keys, of, now) {
		if last.of != of { // the same, read anew: the next ones need not compare, and the former is let go
			k.last.CompareAndSwap(last, &kept{of, last.key, last.made, last.renew, last.text})
		}
		return last.text, nil
	}
	k.signing.Lock()
	defer k.signing.Unlock()
	if last := k.last.Load(); last.good(keys, of, now) {
		return last.text, nil
	}
	text, expires, err := keys.Sign(*of, now)
	if err != nil {
		return "", err
	}
	renew := expires.Add(-RenewBefore)
	if !of.Ends.IsZero() && of.Ends.Before(now.Add(Life)) {
		renew = of.Ends // none would last longer
	}
	k.last.Store(&kept{of, keys.id, now, renew, text})
	return text, nil
}

// CarryOver takes what another one keeps: the same session, read anew. Whether
// it still says what is so, Text looks at every time.
func (k *Kept) CarryOver(from *Kept) { k.last.Store(from.last.Load()) }

func (k *kept) good(keys *Keys, of *Identity, now time.Time) bool {
	return k != nil && k.key == keys.id && !now.Before(k.made) && now.Before(k.renew) && (k.of == of || k.of.same(of))
}
