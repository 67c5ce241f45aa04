package caddymodule

import (
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// shownText is how much of one text of a response people are shown, in
// characters; `--json` has all of it.
const shownText = 300

// people prints what a response says, and how it was judged.
func (v responseView) people(p *printer) {
	if v.Response != nil {
		p.line("What the response says. Nothing of it is verified:")
		p.line("")
		p.table("RESPONSE,", cut(responseRows(*v.Response)))
		if a := v.Response.Assertion; a != nil {
			p.line("")
			p.table("ASSERTION,", cut(assertionRows(*a)))
			p.line("")
			p.table("ATTRIBUTE,VALUE", cut(attributeRows(a.Attributes)))
		}
		p.line("")
		p.line("Judged as a response of provider %s, as of %s:", v.Provider, v.At.Format(time.RFC3339))
		p.line("")
	}
	var rows [][]string
	for _, c := range v.Checks {
		switch {
		case c.OK:
			rows = append(rows, []string{"OK", c.Check})
		case c.Skipped:
			rows = append(rows, []string{"skipped", c.Check + ": it can only be asked as of now"})
		default:
			rows = append(rows, []string{"FAILS", c.Check + ": " + reasonText(c.Finding)})
		}
	}
	p.table("RESULT,CHECK", rows)
	if len(v.Notes) > 0 {
		p.line("")
	}
	for _, note := range v.Notes {
		p.line("%s", note)
	}
}

func reasonText(f samlsp.Finding) string {
	if f.Detail == "" {
		return string(f.Reason)
	}
	return string(f.Reason) + ", " + f.Detail
}

func responseRows(f samlsp.Facts) [][]string {
	return [][]string{
		{"ID", f.ID},
		{"Issuer", f.Issuer},
		{"Destination", f.Destination},
		{"InResponseTo", f.InResponseTo},
		{"IssueInstant", f.IssueInstant},
		{"Status", strings.Join(f.Status, " ")},
		{"Signature of its own", yesNo(f.Signed)},
		{"Encrypted assertion", encryptedText(f)},
	}
}

func encryptedText(f samlsp.Facts) string {
	if f.Encrypted && f.Assertion == nil {
		return "yes, and not opened"
	}
	return yesNo(f.Encrypted)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func assertionRows(a samlsp.AssertionFacts) [][]string {
	rows := [][]string{
		{"ID", a.ID},
		{"Issuer", a.Issuer},
		{"IssueInstant", a.IssueInstant},
		{"Signature of its own", yesNo(a.Signed)},
		{"NameID", a.NameID},
		{"NameID format", a.Format},
		{"NameQualifier", a.NameQualifier},
		{"SPNameQualifier", a.SPNameQualifier},
		{"Audience", strings.Join(a.Audiences, " ")},
		{"NotBefore", a.NotBefore},
		{"NotOnOrAfter", a.NotOnOrAfter},
	}
	for i, c := range a.Confirmations {
		of := "Confirmation"
		if len(a.Confirmations) > 1 {
			of += " " + strconv.Itoa(i+1)
		}
		rows = append(rows,
			[]string{of, c.Method}, []string{of + " recipient", c.Recipient},
			[]string{of + " InResponseTo", c.InResponseTo}, []string{of + " NotOnOrAfter", c.NotOnOrAfter})
	}
	return append(rows,
		[]string{"AuthnInstant", a.AuthnInstant},
		[]string{"AuthnContext", a.Context},
		[]string{"SessionIndex", a.SessionIndex},
		[]string{"SessionNotOnOrAfter", a.SessionNotOnOrAfter})
}

// attributeRows are a row for each value; an attribute is named in its first.
func attributeRows(list []samlsp.AttributeFacts) (rows [][]string) {
	for _, a := range list {
		name := a.Name
		if a.FriendlyName != "" {
			name += " (" + a.FriendlyName + ")"
		}
		if len(a.Values) == 0 {
			rows = append(rows, []string{name, ""})
		}
		for i, value := range a.Values {
			if i > 0 {
				name = " "
			}
			rows = append(rows, []string{name, value})
		}
	}
	return rows
}

// cut shortens what is too long to be looked at.
func cut(rows [][]string) [][]string {
	for _, row := range rows {
		for i, cell := range row {
			if text := []rune(cell); len(text) > shownText {
				row[i] = string(text[:shownText]) + "… (" + strconv.Itoa(len(text)) + " characters)"
			}
		}
	}
	return rows
}
