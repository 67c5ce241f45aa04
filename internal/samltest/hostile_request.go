package samltest

import (
	"strings"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// elsewhere are addresses that are not ours, by what is wrong with them.
func (m *maker) elsewhere() map[string]string {
	ours := m.sp.ACS
	return map[string]string{
		"other":          "https://other.example/saml/acs",
		"other tenant's": strings.TrimSuffix(ours, "/acs") + "-other/acs",
		"entity ID":      m.sp.EntityID + "#",
		"SLO":            m.sp.SLO + "#",
		"shorter":        ours[:len(ours)-1],
		"longer":         ours + "x",
		"trailing slash": ours + "/",
		"with a query":   ours + "?x=1",
		"fragment":       ours + "#x",
		"http":           "http" + strings.TrimPrefix(ours, "https"),
		"upper case":     strings.ToUpper(ours),
		"user":           strings.Replace(ours, "://", "://evil@", 1),
		"host behind":    strings.Replace(ours, "://", "://evil.example/", 1),
		"dots":           strings.Replace(ours, "/acs", "/x/../acs", 1) + "/.",
		"with blanks":    " " + ours,
	}
}

// destinations: R65, T86. Core section 3.2.2, Bindings section 3.5.5.2.
func (m *maker) destinations() {
	set := func(name, text string) {
		m.add("Destination "+name, "T86: the response was made for another address", func(r *Response) { r.Destination = text }, samlsp.WrongDestination)
		m.add("Destination "+name+", assertion signed", "T86: the same, where the attacker can change it", func(r *Response) {
			onlyAssertion(r)
			r.Destination = text
		}, samlsp.WrongDestination)
	}
	set("missing", "")
	for name, text := range ordered(m.elsewhere()) {
		set(name, text)
	}
	m.tree("Destination empty", "T86: made for no address", func(t *Tree) { t.Response.CreateAttr("Destination", "") }, samlsp.WrongDestination)
}

// requests: R67, T85. InResponseTo stands in two places, and both count.
func (m *maker) requests() {
	other := "_" + strings.Repeat("0", 40)
	set := func(name, comment, response, confirmation string) {
		m.add("InResponseTo "+name, comment, func(r *Response) {
			r.InResponseTo, r.Assertion.Confirmations[0].InResponse = response, confirmation
		}, samlsp.WrongRequest, samlsp.NoConfirmation)
	}
	id := m.requestID
	set("missing", "T85, T94: answers nothing, although we asked", "", "")
	set("missing on the response", "T85: the response answers nothing", "", id)
	set("missing on the confirmation", "T85: the assertion answers nothing: one made for another purpose", id, "")
	set("unknown", "T85: a request that nobody made", other, other)
	set("unknown on the response", "T85: the two differ", other, id)
	set("unknown on the confirmation", "T85: an assertion for another request in a response to this", id, other)
	set("longer", "compared exactly", id+"0", id+"0")
	set("shorter", "compared exactly", id[:len(id)-1], id[:len(id)-1])
	set("upper case", "compared exactly", strings.ToUpper(id), strings.ToUpper(id))
	set("with blanks", "compared exactly", " "+id, " "+id)
	m.add("InResponseTo other on an unsigned response", "T85: the attacker adapted the response, which is not signed, to a request of his", func(r *Response) {
		onlyAssertion(r)
		r.Assertion.Confirmations[0].InResponse = other
	}, samlsp.WrongRequest, samlsp.NoConfirmation)
	empty := func(name, path string) {
		m.tree("InResponseTo empty"+name, "T85: an empty name is the zero value of what was not found", func(t *Tree) {
			Find(t.Doc.Root(), path).CreateAttr("InResponseTo", "")
		}, samlsp.WrongRequest, samlsp.NoConfirmation)
	}
	empty("", ".")
	empty(" on the confirmation", ".//SubjectConfirmationData")

	unasked := func(name, comment string, change func(*Response), reasons ...samlsp.Reason) {
		m.add(name, comment, change, append(reasons, samlsp.NoRequest)...).Asked = nil
	}
	unasked("unasked", "T94: nobody asked, and unasked answers are off", func(r *Response) {
		r.InResponseTo, r.Assertion.Confirmations[0].InResponse = "", ""
	})
	unasked("answers what was not asked", "T85: names a request, and there is none", func(*Response) {}, samlsp.WrongRequest)
	m.add("asked with an empty ID", "a request whose ID was lost must not be answered by an answer to none", func(r *Response) {
		r.InResponseTo, r.Assertion.Confirmations[0].InResponse = "", ""
	}, samlsp.WrongRequest, samlsp.NoRequest, samlsp.NoConfirmation).Asked = &samlsp.Asked{At: m.asked().At}
}

// relayStates: R72, T90.
func (m *maker) relayStates() {
	set := func(name, comment, state string, reasons ...samlsp.Reason) {
		m.add("RelayState "+name, comment, func(*Response) {}, append(reasons, samlsp.WrongState)...).RelayState = state
	}
	set("other", "T90: the state of another sign-in", "r-aaaaaaaaaaaa")
	set("missing", "T90: no state, although one was sent", "")
	set("longer", "compared exactly", RelayState+"0")
	set("shorter", "compared exactly", RelayState[:len(RelayState)-1])
	set("upper case", "compared exactly", strings.ToUpper(RelayState))
	set("with blanks", "compared exactly", RelayState+" ")
	set("address", "T90: the attacker's address", "https://evil.example/")
	set("address without a scheme", "T90: the attacker's address", "//evil.example/")
	set("address with a backslash", "T90: the attacker's address", `/\evil.example`)
	set("script", "T90: a script as address", "javascript:alert(1)")
	set("line break", "T90: a header of the attacker's", RelayState+"\r\nSet-Cookie: a=b")
	set("NUL", "T90: the state and a byte at which C ends the text", RelayState+"\x00")
	set("100 KB", "T90: more than the 80 bytes of Bindings 3.5.3", strings.Repeat("a", 100_000), samlsp.TooLarge, samlsp.BadForm)
}
