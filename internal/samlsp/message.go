package samlsp

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// ErrNoPlace: the provider's metadata names no address for such a message.
var ErrNoPlace = errors.New("the provider takes no such message")

// ErrNoKey: there is no key to sign with.
var ErrNoKey = errors.New("the key ring has no key for signing SAML messages: `sallyport keys add saml-signing` makes one")

// Message is one of ours on its way to a provider, through a browser.
type Message struct {
	Binding Binding
	// URL is where a browser is sent to, all included, for Redirect; for Post
	// it is where the form goes.
	URL string
	// Fields are the form's, for Post.
	Fields []Field
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// send signs a message and packs it for the first binding that the provider
// has a place for. field is SAMLRequest or SAMLResponse.
func (p *Provider) send(el *etree.Element, places map[Binding]string, field, relayState string) (Message, error) {
	if len(p.Keys.Signing) == 0 {
		return Message{}, ErrNoKey
	}
	sp, err := p.serviceProvider()
	if err != nil {
		return Message{}, err
	}
	context, err := saml.GetSigningContext(sp)
	if err != nil {
		return Message{}, fmt.Errorf("signing: %w", err)
	}
	for _, b := range []Binding{Redirect, Post} {
		location := places[b]
		if location == "" {
			continue
		}
		el.CreateAttr("Destination", location)
		if b == Redirect {
			return redirect(context, el, location, field, relayState)
		}
		return post(context, el, location, field, relayState)
	}
	return Message{}, ErrNoPlace
}

// redirect is the HTTP-Redirect binding: deflated, and signed over the query
// as it stands, in this order (Bindings section 3.4.4.1). The library puts the
// XML signature into the message and leaves RelayState unescaped.
func redirect(context *dsig.SigningContext, el *etree.Element, location, field, relayState string) (Message, error) {
	text, err := write(el)
	if err != nil {
		return Message{}, err
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return Message{}, err
	}
	if _, err := w.Write(text); err != nil {
		return Message{}, err
	}
	if err := w.Close(); err != nil {
		return Message{}, err
	}
	query := field + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(packed.Bytes()))
	if relayState != "" {
		query += "&RelayState=" + url.QueryEscape(relayState)
	}
	query += "&SigAlg=" + url.QueryEscape(context.GetSignatureMethodIdentifier())
	signature, err := context.SignString(query)
	if err != nil {
		return Message{}, fmt.Errorf("signing: %w", err)
	}
	query += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	return Message{Binding: Redirect, URL: location + separator + query}, nil
}

// post is the HTTP-POST binding: the message holds its signature, right after
// the issuer, where the schema has it.
func post(context *dsig.SigningContext, el *etree.Element, location, field, relayState string) (Message, error) {
	signature, err := context.ConstructSignature(el, true)
	if err != nil {
		return Message{}, fmt.Errorf("signing: %w", err)
	}
	issuer := el.ChildElements()[0]
	el.InsertChildAt(issuer.Index()+1, signature)
	text, err := write(el)
	if err != nil {
		return Message{}, err
	}
	m := Message{Binding: Post, URL: location, Fields: []Field{{field, base64.StdEncoding.EncodeToString(text)}}}
	if relayState != "" {
		m.Fields = append(m.Fields, Field{"RelayState", relayState})
	}
	return m, nil
}

func write(el *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.SetRoot(el)
	text, err := doc.WriteToBytes()
	if err != nil {
		return nil, fmt.Errorf("writing a message: %w", err)
	}
	return text, nil
}
