package login

import (
	"context"
	"encoding/hex"
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
// many at once the first counter lets one go on. A known browser is exempt
// from its network's (SPEC G2).
func (m *Machine) sendCounts(c Client, a account.Account, n phone.Number) []count {
	l := m.Settings.Limits
	number := m.numberKey(n)
	var counts []count
	for _, each := range []struct{ wait, name, key string }{
		{limitSendWait, limitSendAccount, "send:account:" + string(a.ID)},
		{limitSendWait, limitSendNumber, "send:number:" + number},
	} {
		counts = append(counts,
			count{each.wait, each.key + ":wait", Limit{N: 1, Window: l.SendWait}},
			count{each.name, each.key + ":hour", Limit{N: l.SendHour, Window: time.Hour}},
			count{each.name, each.key + ":day", Limit{N: l.SendDay, Window: 24 * time.Hour}})
	}
	if !c.Knows(a) {
		counts = append(counts, count{limitSendNetwork, "send:network:" + c.Network, l.SendNetwork})
		counts = append(counts, wide(c, limitSendNetwork, "send:network:", l.SendNetwork)...)
	}
	return append(counts, m.systemCount())
}

// systemCount is the breaker of the whole system (SPEC C4).
func (m *Machine) systemCount() count {
	return count{limitSendAll, "send:all", Limit{N: m.Settings.Limits.DailyCap, Window: 24 * time.Hour}}
}

// more is how many more codes the narrowest counter but the wait permits.
func (t takings) more() int {
	more := -1
	for i, c := range t.counts {
		if left := t.taken[i].Left; c.name != limitSendWait && (more < 0 || left < more) {
			more = left
		}
	}
	return max(more, 0)
}

// notSent gives back what a code took that was not sent: nothing counts
// against a person for a vendor's trouble (SPEC C3). Where the vendor may have
// sent it all the same, the breaker keeps its count, since it may cost money.
func (m *Machine) notSent(ctx context.Context, t takings, maybe bool) {
	if maybe && len(t.counts) > 0 {
		last := len(t.counts) - 1
		t.counts, t.taken = t.counts[:last], t.taken[:last]
	}
	m.giveBack(ctx, t)
}
