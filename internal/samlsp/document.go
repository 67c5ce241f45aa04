package samlsp

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
	xrv "github.com/mattermost/xml-roundtrip-validator"
)

// MaxMessage bounds a message, in bytes: as it is posted, and again as XML,
// inflated or decrypted (SECURITY V31: nine megabytes cost the library twenty
// seconds and 25 GB).
const MaxMessage = 256 << 10

// maxField bounds a message as base64 in a field, in bytes, with what wraps it
// in lines.
const maxField = MaxMessage*4/3 + MaxMessage/32

// limits bound a document before anything builds a tree of it.
type limits struct {
	bytes, elements, attributes, depth int
	// markup allows comments and processing instructions: in a file that
	// people edit, never in a message that somebody signed.
	markup bool
}

// messageLimits are for what travels through a browser. The library that
// verifies signatures stops at a thousand elements too, with less to say.
var messageLimits = limits{bytes: MaxMessage, elements: 1000, attributes: 4000, depth: 32}

// metadataLimits are for what a provider says of itself.
var metadataLimits = limits{bytes: 2 << 20, elements: 32768, attributes: 131072, depth: 32, markup: true}

const (
	maxElementAttributes = 64
	maxNamespaces        = 64 // different ones in one document
)

// parse reads a document whose text can mean only one thing: UTF-8, no
// document type, no entities, no comments, processing instructions or CDATA,
// each prefix with one meaning, each ID once. It looks at the tokens first, so
// that a hostile document costs no more than its bytes.
func parse(text []byte, l limits) (*etree.Element, *Refusal) {
	if len(text) > l.bytes {
		return nil, refuse(TooLarge, "%d bytes, at most %d", len(text), l.bytes)
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, refuse(BadXML, "not UTF-8")
	}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		if !l.markup {
			return nil, refuse(BadXML, "a byte order mark")
		}
		text = text[3:]
	}
	if !characters(text) {
		return nil, refuse(BadXML, "a reference to a character that there is not")
	}
	s := scan{limits: l, meaning: map[string]string{}, ids: map[string]bool{}}
	if refusal := s.read(text); refusal != nil {
		return nil, refusal
	}
	// What encoding/xml would write differently from how it read it is what
	// attacks on its users were made of (CVE-2020-27846).
	if err := xrv.Validate(bytes.NewReader(text)); err != nil {
		return nil, refuse(BadXML, "it changes when it is written again")
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(text); err != nil {
		return nil, refuse(BadXML, "%v", err)
	}
	root := doc.Root()
	if root == nil {
		return nil, refuse(BadXML, "no root element")
	}
	if !l.markup {
		return root, walk(root, identified)
	}
	return root, nil
}

// identified refuses an ID whose name is spelled so that some reader takes it
// for one and another does not: SAML has ID, signatures and encryption Id.
func identified(el *etree.Element) *Refusal {
	for _, a := range el.Attr {
		if !strings.EqualFold(a.Key, "id") || a.Space == "xmlns" {
			continue
		}
		want := "ID"
		if space := el.NamespaceURI(); space == nsSignature || space == nsEncrypted {
			want = "Id"
		}
		if a.Space != "" || a.Key != want {
			return refuse(DuplicateID, "an ID of %.60q is spelled %.60q", el.Tag, a.FullKey())
		}
	}
	return nil
}

var reference = regexp.MustCompile(`&#(x?)([0-9A-Fa-f]+);`)

// characters reports whether all numeric references name characters of XML
// (section 2.2): Go's parser makes half a character a replacement, silently.
func characters(text []byte) bool {
	for _, m := range reference.FindAllSubmatch(text, -1) {
		base := 10
		if len(m[1]) > 0 {
			base = 16
		}
		n, err := strconv.ParseUint(string(m[2]), base, 32)
		r := rune(n)
		if err != nil || !utf8.ValidRune(r) || r == 0xfffe || r == 0xffff || r < 0x20 && r != '\t' && r != '\n' && r != '\r' {
			return false
		}
	}
	return true
}

// scan is one pass over a document's tokens.
type scan struct {
	limits
	elements, attributes int
	// open are the qualified names of the elements that are open, declared the
	// prefixes that each of them declares.
	open     []string
	declared [][]string
	inScope  map[string]int
	meaning  map[string]string // of each prefix but the default one
	spaces   map[string]bool
	ids      map[string]bool
	rooted   bool
}

func (s *scan) read(text []byte) *Refusal {
	s.inScope, s.spaces = map[string]int{"xml": 1}, map[string]bool{}
	if bytes.Contains(text, []byte("<![CDATA[")) && !s.markup {
		return refuse(Comment, "a CDATA section")
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	for first := true; ; first = false {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refuse(BadXML, "%v", err)
		}
		if refusal := s.token(token, first); refusal != nil {
			return refusal
		}
	}
	if len(s.open) > 0 || !s.rooted {
		return refuse(BadXML, "an element is not closed, or there is none")
	}
	return nil
}

func (s *scan) token(token xml.Token, first bool) *Refusal {
	switch t := token.(type) {
	case xml.StartElement:
		return s.start(t)
	case xml.EndElement:
		n := len(s.open) - 1
		if n < 0 || s.open[n] != qualified(t.Name) {
			return refuse(BadXML, "an element is closed that is not open")
		}
		for _, prefix := range s.declared[n] {
			s.inScope[prefix]--
		}
		s.open, s.declared = s.open[:n], s.declared[:n]
	case xml.CharData:
		if len(s.open) == 0 && len(bytes.TrimSpace(t)) > 0 {
			return refuse(BadXML, "text outside the root element")
		}
	case xml.Comment:
		if !s.markup {
			return refuse(Comment, "a comment")
		}
	case xml.ProcInst:
		// The declaration stands at the very beginning, or it is none.
		if t.Target == "xml" && first {
			return nil
		}
		if !s.markup || strings.EqualFold(t.Target, "xml") {
			return refuse(Comment, "a processing instruction")
		}
	case xml.Directive:
		return refuse(Doctype, "a document type")
	}
	return nil
}

func (s *scan) start(t xml.StartElement) *Refusal {
	s.elements++
	s.attributes += len(t.Attr)
	switch {
	case len(s.open) == 0 && s.rooted:
		return refuse(BadXML, "a second root element")
	case s.elements > s.limits.elements || s.attributes > s.limits.attributes || len(t.Attr) > maxElementAttributes:
		return refuse(TooComplex, "more than %d elements, %d attributes or %d of them in one element",
			s.limits.elements, s.limits.attributes, maxElementAttributes)
	case len(s.open) >= s.depth:
		return refuse(TooComplex, "deeper than %d elements", s.depth)
	}
	if !named(t.Name) {
		return refuse(BadXML, "a name with a colon too many")
	}
	s.rooted = true
	s.open, s.declared = append(s.open, qualified(t.Name)), append(s.declared, nil)
	if refusal := s.declare(t); refusal != nil {
		return refusal
	}
	if t.Name.Space != "" && s.inScope[t.Name.Space] == 0 {
		return refuse(BadNamespace, "prefix %q is not declared", t.Name.Space)
	}
	return s.attributesOf(t)
}

// declare notes the namespaces that an element declares. One prefix never has
// two meanings, so that nothing depends on who counts scopes how.
func (s *scan) declare(t xml.StartElement) *Refusal {
	for _, a := range t.Attr {
		prefix, is := declares(a)
		if !is {
			continue
		}
		u, err := url.Parse(a.Value)
		switch {
		case prefix == "xml" || prefix == "xmlns" || a.Value == "http://www.w3.org/2000/xmlns/" || a.Value == "http://www.w3.org/XML/1998/namespace":
			return refuse(BadNamespace, "prefix %q cannot be declared", prefix)
		case err != nil || !u.IsAbs() || strings.TrimSpace(a.Value) != a.Value:
			// A relative one makes some canonicalisations fail, and an empty
			// result has a digest too.
			return refuse(BadNamespace, "a namespace is not an absolute address")
		case prefix != "" && s.meaning[prefix] != "" && s.meaning[prefix] != a.Value:
			return refuse(BadNamespace, "prefix %q has two meanings", prefix)
		}
		s.spaces[a.Value] = true
		if len(s.spaces) > maxNamespaces {
			return refuse(TooComplex, "more than %d namespaces", maxNamespaces)
		}
		if prefix != "" {
			s.meaning[prefix] = a.Value
			s.inScope[prefix]++
			n := len(s.declared) - 1
			s.declared[n] = append(s.declared[n], prefix)
		}
	}
	return nil
}

func declares(a xml.Attr) (prefix string, is bool) {
	switch {
	case a.Name.Space == "" && a.Name.Local == "xmlns":
		return "", true
	case a.Name.Space == "xmlns":
		return a.Name.Local, true
	}
	return "", false
}

func (s *scan) attributesOf(t xml.StartElement) *Refusal {
	seen := make(map[string]bool, len(t.Attr))
	for _, a := range t.Attr {
		name := qualified(a.Name)
		if seen[name] || !named(a.Name) {
			return refuse(BadXML, "an attribute stands twice")
		}
		seen[name] = true
		if _, is := declares(a); is {
			continue
		}
		if a.Name.Space != "" {
			if s.inScope[a.Name.Space] == 0 {
				return refuse(BadNamespace, "prefix %q is not declared", a.Name.Space)
			}
			// One attribute under two prefixes of one meaning.
			if full := s.meaning[a.Name.Space] + " " + a.Name.Local; seen[full] {
				return refuse(BadXML, "an attribute stands twice")
			} else {
				seen[full] = true
			}
		}
		if refusal := s.identity(a); refusal != nil {
			return refusal
		}
	}
	return nil
}

// identity refuses an ID that is there twice.
func (s *scan) identity(a xml.Attr) *Refusal {
	if !strings.EqualFold(a.Name.Local, "id") || s.markup {
		return nil
	}
	if s.ids[a.Value] {
		return refuse(DuplicateID, "two elements have the same ID")
	}
	s.ids[a.Value] = true
	return nil
}

// named reports whether a name has one colon at most, and not at an end.
func named(n xml.Name) bool {
	return n.Local != "" && !strings.Contains(n.Local, ":") && !strings.Contains(n.Space, ":")
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}
