package login

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/phone"
)

// Names of the limits on sent codes, for pages, logs and audit.
const (
	limitSendWait    = "send_wait"
	limitSendAccount = "send_account"
	limitSendNumber  = "send_number"
	limitSendNetwork = "send_network"
	limitSendAll     = "daily_cap"
)

// LookupPhone is the context of the keyed hash by which numbers are found and
// counted.
const LookupPhone = "phone number"

// numberKey is a number as counters know it. A counter begins anew when the
// look-up key is rotated, which is rare and an operator's doing.
func (m *Machine) numberKey(n phone.Number) string {
	_, sum := m.Keys.MAC(LookupPhone, []byte(n.E164()))
	return hex.EncodeToString(sum)
}

// sendCounts are the counters of one code (SPEC G1, C4), the narrowest first:
// a request that is refused has then taken nothing that others need, and of
// many at once the first counter lets one go on.
//
// A number's codes to enrol it are counted apart from those to verify it, since
// anybody may try to enrol a number that is not theirs: that must not keep its
// owner out (SPEC G2). A known browser is exempt from its network's counter.
func (m *Machine) sendCounts(c Client, a account.Account, t target) []count {
	l := m.Settings.Limits
	var counts []count
	for _, each := range []struct{ name, key string }{
		{limitSendAccount, "send:account:" + string(a.ID)},
		{limitSendNumber, "send:number:" + t.purpose + ":" + m.numberKey(t.number)},
	} {
		counts = append(counts,
			count{limitSendWait, each.key + ":wait", Limit{N: 1, Window: l.SendWait}},
			count{each.name, each.key + ":hour", Limit{N: l.SendHour, Window: time.Hour}},
			count{each.name, each.key + ":day", Limit{N: l.SendDay, Window: 24 * time.Hour}},
			count{each.name, each.key + unsure, Limit{N: l.SendDay, Window: 24 * time.Hour}})
	}
	if !c.Knows(a) {
		counts = append(counts, count{limitSendNetwork, "send:network:" + c.Network, l.SendNetwork})
		counts = append(counts, wide(c, limitSendNetwork, "send:network:", l.SendNetwork)...)
	}
	return append(counts, m.systemCount())
}

// unsure is how the keys of counters end that keep what may have been sent
// although its sender failed.
const unsure = ":unsure"

// systemCount is the breaker of the whole system (SPEC C4).
func (m *Machine) systemCount() count {
	return count{limitSendAll, "send:all", Limit{N: m.Settings.Limits.DailyCap, Window: 24 * time.Hour}}
}

// more is how many more codes the narrowest counter but the wait permits.
func (t takings) more() int {
	more := -1
	for i, c := range t.counts {
		if strings.HasSuffix(c.key, unsure) || c.name == limitSendWait {
			continue
		}
		if left := t.taken[i].Left; more < 0 || left < more {
			more = left
		}
	}
	return max(more, 0)
}

// settle gives back what a code did not use up. What was sent keeps all but the
// counters of what may have been. Nothing counts against a person for a
// vendor's trouble (SPEC C3); but where the vendor may have sent it all the
// same, that counts for counters of its own, so that a slow vendor does not
// lift the caps, and for the breaker of the system, since it may cost money.
func (m *Machine) settle(ctx context.Context, t takings, failed error) {
	maybe := maybeSent(failed)
	var back takings
	for i, c := range t.counts {
		sure := !strings.HasSuffix(c.key, unsure)
		keep := failed == nil && sure || maybe && (!sure || c.name == limitSendAll)
		if !keep {
			back.taken = append(back.taken, t.taken[i])
		}
	}
	m.giveBack(ctx, back)
}
