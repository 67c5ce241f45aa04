package samltest

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// victim is whom the attacker wants to be. No assertion that p signed names
// them, but for the cases in which only a reader's mistake makes them of it.
const victim = "admin@partner.example"

// Hostile is the collection of attacks on a service provider that trusts p.
// Whatever is not about signatures is correctly signed by p, so that only the
// check in question can refuse it. stranger is another provider, of another
// tenant, whose keys the attacker has. Both come from New.
func Hostile(t testing.TB, p, stranger *IdP, sp samlsp.SP, requestID string, now time.Time) []Case {
	t.Helper()
	m := &maker{provider: p, stranger: stranger, decrypts: SPKey(t), sp: sp, requestID: requestID, now: now}
	for _, group := range []struct {
		name string
		add  func()
	}{
		{"signature", m.unsigned},
		{"signature", m.signers},
		{"algorithm", m.weakAlgorithms},
		{"reference", m.references},
		{"reference", m.transforms},
		{"signature", m.signatureShape},
		{"signature", m.tampered},
		{"wrapping", m.wrapping},
		{"wrapping", m.hidden},
		{"wrapping", m.several},
		{"xml", m.comments},
		{"xml", m.doctypes},
		{"xml", m.namespaces},
		{"xml", m.identifiers},
		{"xml", m.malformed},
		{"message", m.messages},
		{"status", m.statuses},
		{"issuer", m.issuers},
		{"request", m.destinations},
		{"request", m.requests},
		{"request", m.relayStates},
		{"audience", m.audiences},
		{"confirmation", m.confirmations},
		{"subject", m.subjects},
		{"statement", m.statements},
		{"time", m.windows},
		{"time", m.impossibleTimes},
		{"encryption", m.ciphertexts},
		{"encryption", m.plaintexts},
		{"form", m.forms},
		{"size", m.sizes},
	} {
		m.group = group.name
		group.add()
	}
	return m.cases
}
