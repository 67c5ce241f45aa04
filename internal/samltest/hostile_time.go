package samltest

import (
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// windows: R68, T81. The skew is 60 s.
func (m *maker) windows() {
	set := func(name, comment string, change func(*Response), reasons ...samlsp.Reason) {
		m.add(name, comment, change, reasons...)
	}
	for _, ago := range []struct {
		name string
		d    time.Duration
	}{{"61 s", 61 * time.Second}, {"170 s", 170 * time.Second}, {"a day", 24 * time.Hour}} {
		set("conditions expired "+ago.name+" ago", "T81: crewjam/saml allows 180 s", func(r *Response) {
			r.Assertion.Conditions.NotOnOrAfter = m.at(-ago.d)
		}, samlsp.Expired)
		set("all expired "+ago.name+" ago", "T81: conditions and confirmation", func(r *Response) {
			r.Assertion.Conditions.NotOnOrAfter, r.Assertion.Confirmations[0].NotOnOrAfter = m.at(-ago.d), m.at(-ago.d)
		}, samlsp.Expired, samlsp.NoConfirmation)
	}
	for _, ahead := range []struct {
		name string
		d    time.Duration
	}{{"61 s", 61 * time.Second}, {"an hour", time.Hour}} {
		set("valid in "+ahead.name, "T81: not yet", func(r *Response) {
			r.Assertion.Conditions.NotBefore, r.Assertion.Conditions.NotOnOrAfter = m.at(ahead.d), m.at(ahead.d+time.Hour)
		}, samlsp.NotYetValid)
		set("issued in "+ahead.name, "T81: crewjam/saml accepts an hour", func(r *Response) {
			r.IssueInstant, r.Assertion.IssueInstant = m.at(ahead.d), m.at(ahead.d)
		}, samlsp.IssuedInFuture)
		set("assertion issued in "+ahead.name, "T81: crewjam/saml accepts an hour", func(r *Response) {
			r.Assertion.IssueInstant = m.at(ahead.d)
		}, samlsp.IssuedInFuture)
		set("response issued in "+ahead.name, "T81: crewjam/saml accepts an hour", func(r *Response) { r.IssueInstant = m.at(ahead.d) }, samlsp.IssuedInFuture)
	}
	old := []samlsp.Reason{samlsp.Expired, samlsp.BadTime, samlsp.WrongRequest, samlsp.Library}
	set("issued two hours ago", "T81: before the request that it answers", func(r *Response) {
		r.IssueInstant, r.Assertion.IssueInstant = m.at(-2*time.Hour), m.at(-2*time.Hour)
	}, old...)
	set("assertion issued two hours ago", "T81: before the request that it answers", func(r *Response) {
		r.Assertion.IssueInstant = m.at(-2 * time.Hour)
	}, old...)
	set("NotBefore after NotOnOrAfter", "valid at no time", func(r *Response) {
		r.Assertion.Conditions.NotBefore, r.Assertion.Conditions.NotOnOrAfter = m.at(time.Hour), m.at(-time.Hour)
	}, samlsp.Expired, samlsp.NotYetValid, samlsp.BadTime)
}

// impossibleTimes: Core section 1.3.3: xs:dateTime in UTC.
func (m *maker) impossibleTimes() {
	in2h := m.now.Add(2 * time.Hour).UTC()
	day := in2h.Format("2006-01-02")
	texts := []struct{ name, text string }{
		{"no zone", in2h.Format("2006-01-02T15:04:05")},
		{"another zone", in2h.Format("2006-01-02T15:04:05") + "+02:00"},
		{"a zone behind", in2h.Format("2006-01-02T15:04:05") + "-08:00"},
		{"year 9999", "9999-12-31T23:59:59Z"},
		{"year 10000", "10000-01-01T00:00:00Z"},
		{"year 292277026596", "292277026596-12-04T15:30:08Z"},
		{"24:00:00", day + "T24:00:00Z"},
		{"leap second", day + "T23:59:60Z"},
		{"30 February", in2h.AddDate(1, 0, 0).Format("2006") + "-02-30T00:00:00Z"},
		{"comma", in2h.Format("2006-01-02T15:04:05") + ",5Z"},
		{"no T", in2h.Format("2006-01-02 15:04:05Z")},
		{"lower case", strings.ToLower(in2h.Format("2006-01-02T15:04:05Z"))},
		{"date alone", day},
		{"one digit", in2h.Format("2006-01-02T") + "9:05:05Z"},
		{"number", "4102444800"},
		{"garbage", "tomorrow"},
		{"blank", " "},
		{"trailing text", in2h.Format("2006-01-02T15:04:05Z") + "x"},
	}
	for _, one := range texts {
		at := func(place string, change func(*Response), reasons ...samlsp.Reason) {
			m.add(one.name+" in "+place, "T81: not a time in UTC, or one that nobody means", change, append(reasons, samlsp.BadTime)...)
		}
		at("Conditions", func(r *Response) { r.Assertion.Conditions.NotOnOrAfter = one.text })
		at("the confirmation", func(r *Response) { r.Assertion.Confirmations[0].NotOnOrAfter = one.text }, samlsp.NoConfirmation)
		if !strings.HasPrefix(one.name, "year") {
			at("SessionNotOnOrAfter", func(r *Response) { r.Assertion.Statement.SessionNotOnOrAfter = one.text })
		}
		at("the assertion's IssueInstant", func(r *Response) { r.Assertion.IssueInstant = one.text }, samlsp.IssuedInFuture)
		at("the response's IssueInstant", func(r *Response) { r.IssueInstant = one.text }, samlsp.IssuedInFuture)
		at("AuthnInstant", func(r *Response) { r.Assertion.Statement.AuthnInstant = one.text }, samlsp.IssuedInFuture, samlsp.NotYetValid)
		at("NotBefore", func(r *Response) { r.Assertion.Conditions.NotBefore = one.text }, samlsp.NotYetValid)
	}
	missing := func(name string, change func(*Response)) {
		m.add("missing "+name, "T81: a time that has to be there", change, samlsp.BadTime, samlsp.WrongStructure, samlsp.NoStatement, samlsp.Expired)
	}
	missing("IssueInstant", func(r *Response) { r.IssueInstant, r.Assertion.IssueInstant = "", "" })
	missing("IssueInstant of the assertion", func(r *Response) { r.Assertion.IssueInstant = "" })
	missing("IssueInstant of the response", func(r *Response) { r.IssueInstant = "" })
	missing("AuthnInstant", func(r *Response) { r.Assertion.Statement.AuthnInstant = "" })
}
