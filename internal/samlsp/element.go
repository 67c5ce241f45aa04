package samlsp

import (
	"regexp"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Namespaces of SAML (Core section 1.1) and of XML signatures and encryption.
const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"
	nsEncrypted = "http://www.w3.org/2001/04/xmlenc#"
)

func is(el *etree.Element, space, name string) bool {
	return el.Tag == name && el.NamespaceURI() == space
}

// children are the element's own children of that name; none of nil.
func children(el *etree.Element, space, name string) (out []*etree.Element) {
	if el == nil {
		return nil
	}
	for _, c := range el.ChildElements() {
		if is(c, space, name) {
			out = append(out, c)
		}
	}
	return out
}

// only is the one child of that name, nil for none or several.
func only(el *etree.Element, space, name string) *etree.Element {
	if found := children(el, space, name); len(found) == 1 {
		return found[0]
	}
	return nil
}

// text is an element's whole text; false where there is an element in it. The
// document has no comments, so nothing can divide the text.
func text(el *etree.Element) (string, bool) {
	if el == nil || len(el.ChildElements()) > 0 {
		return "", false
	}
	var b strings.Builder
	for _, c := range el.Child {
		if data, ok := c.(*etree.CharData); ok {
			b.WriteString(data.Data)
		}
	}
	return b.String(), true
}

// attribute is the value of an attribute without a prefix.
func attribute(el *etree.Element, name string) (string, bool) {
	if el == nil {
		return "", false
	}
	for _, a := range el.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value, true
		}
	}
	return "", false
}

// said is an attribute's value, "" for none.
func said(el *etree.Element, name string) string {
	value, _ := attribute(el, name)
	return value
}

// words is the text of an element's one child of that name, "" for none.
func words(el *etree.Element, space, name string) string {
	value, _ := text(only(el, space, name))
	return value
}

// layout is the one form of time that SAML permits: UTC, with any fraction
// (Core section 1.3.3). Go would take more: one digit, a comma.
const layout = "2006-01-02T15:04:05.999999999Z"

var written = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$`)

// moment reads an attribute that is a time; zero and nil where it is absent.
func moment(el *etree.Element, name string, now time.Time) (time.Time, *Refusal) {
	value, ok := attribute(el, name)
	if !ok {
		return time.Time{}, nil
	}
	t, err := time.Parse(layout, value)
	// No clock is ten years wrong, and nobody is signed in for so long.
	if err != nil || !written.MatchString(value) || t.Before(now.AddDate(-10, 0, 0)) || t.After(now.AddDate(10, 0, 0)) {
		return time.Time{}, refuse(BadTime, "%s of %s is not a time in UTC that can be meant: %.40q", name, el.Tag, value)
	}
	return t, nil
}

// walk visits an element and all below it, until visit refuses.
func walk(el *etree.Element, visit func(*etree.Element) *Refusal) *Refusal {
	if refusal := visit(el); refusal != nil {
		return refusal
	}
	for _, c := range el.ChildElements() {
		if refusal := walk(c, visit); refusal != nil {
			return refusal
		}
	}
	return nil
}
