package samltest

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// Judge is the verifier under test: it trusts the provider that the cases were
// made for, is the service provider sp with SPKey, sent RelayState, and allows
// a clock skew of 60 s and no unasked answers.
type Judge func(samlResponse, relayState string, asked *samlsp.Asked, now time.Time) (samlsp.Assertion, error)

// Case is one posted form and what is right.
type Case struct {
	// Name begins with the part of the verifier that it is about, for
	// example "xml/".
	Name string
	// Comment is the attack in a sentence.
	Comment string
	// Build makes the form field SAMLResponse; some are megabytes.
	Build      func() string
	RelayState string
	Asked      *samlsp.Asked

	// Reasons are those that are right. A case that must be accepted has
	// none, or those with which a stricter reader may refuse it too.
	Reasons []samlsp.Reason
	// Or says, of a case that has to be refused, whether a reader that read
	// exactly this out of it was not deceived.
	Or func(samlsp.Assertion) bool
	// Want is what has to be read out of a case that must be accepted.
	Want samlsp.Assertion
	// MaxAlloc is how many bytes may be allocated while it is judged; zero is
	// any number.
	MaxAlloc uint64
}

// maker collects cases.
type maker struct {
	provider, stranger *IdP
	decrypts           *Key
	sp                 samlsp.SP
	requestID          string
	now                time.Time
	cases              []Case
	group              string
}

func (m *maker) good() *Response { return m.provider.Good(m.sp, m.requestID, m.now) }

func (m *maker) asked() *samlsp.Asked {
	return &samlsp.Asked{ID: m.requestID, At: m.now.Add(-30 * time.Second)}
}

// at is a time relative to now, as SAML writes it.
func (m *maker) at(d time.Duration) string { return Stamp(m.now.Add(d)) }

// add is a hostile case: a good response, changed.
func (m *maker) add(name, comment string, change func(*Response), reasons ...samlsp.Reason) *Case {
	return m.field(name, comment, func() string {
		r := m.good()
		change(r)
		return r.Encode()
	}, reasons...)
}

// tree is a hostile case: a good response whose elements are changed before
// they are signed.
func (m *maker) tree(name, comment string, change func(*Tree), reasons ...samlsp.Reason) *Case {
	return m.add(name, comment, func(r *Response) { r.Before = append(r.Before, change) }, reasons...)
}

// field is a hostile case: the form field itself.
func (m *maker) field(name, comment string, build func() string, reasons ...samlsp.Reason) *Case {
	m.cases = append(m.cases, Case{
		Name: m.group + "/" + name, Comment: comment, Build: build,
		RelayState: RelayState, Asked: m.asked(), Reasons: reasons,
	})
	return &m.cases[len(m.cases)-1]
}

// orNameID: an acceptance with exactly this NameID is right too.
func (c *Case) orNameID(exact string) {
	c.Or = func(a samlsp.Assertion) bool { return a.NameID == exact }
}

// ordered is a map in the order of its keys, so that the cases have one order.
func ordered[V any](all map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if !yield(key, all[key]) {
				return
			}
		}
	}
}
