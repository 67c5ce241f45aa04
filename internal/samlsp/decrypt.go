package samlsp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/beevik/etree"
	"github.com/crewjam/saml/xmlenc"
)

// What an assertion may be encrypted with. RSA with PKCS #1 v1.5 padding is
// refused: a server that can be asked again and again tells the key away
// (Bleichenbacher).
var (
	goodTransport = []string{"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", "http://www.w3.org/2009/xmlenc11#rsa-oaep"}
	goodCiphers   = []string{
		"http://www.w3.org/2009/xmlenc11#aes128-gcm", aes192GCM, aes256GCM,
		"http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.w3.org/2001/04/xmlenc#aes192-cbc", "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
	}
)

const (
	aes192GCM = "http://www.w3.org/2009/xmlenc11#aes192-gcm"
	aes256GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
)

// The library decrypts AES-128-GCM only.
func init() {
	xmlenc.RegisterDecrypter(gcm{aes192GCM, 24})
	xmlenc.RegisterDecrypter(gcm{aes256GCM, 32})
}

// decrypt gives the assertion within an EncryptedAssertion, and the key that
// opened it. All that can go wrong with the ciphertext is one refusal with one
// text, so that it cannot be asked what a change of it does.
func decrypt(el *etree.Element, keys []Key) (*etree.Element, Key, *Refusal) {
	data, wrapped, refusal := encryptedParts(el)
	if refusal != nil {
		return nil, Key{}, refusal
	}
	for _, k := range keys {
		plain, err := open(data, wrapped, k.Private)
		if err != nil {
			continue
		}
		assertion, refusal := parse(plain, messageLimits)
		if refusal != nil || !is(assertion, nsAssertion, "Assertion") {
			break
		}
		return assertion, k, nil
	}
	return nil, Key{}, refuse(CannotDecrypt, "none of our %d keys opens the assertion, or there is none inside: does the provider have our present certificate?", len(keys))
}

// encryptedParts finds the one EncryptedData and the one EncryptedKey, which
// stands in it or beside it.
func encryptedParts(el *etree.Element) (data, wrapped *etree.Element, refusal *Refusal) {
	var keys []*etree.Element
	refusal = walk(el, func(e *etree.Element) *Refusal {
		switch {
		case e.Tag == "EncryptedData" && (data != nil || e.Parent() != el || e.NamespaceURI() != nsEncrypted):
			return refuse(WrongStructure, "not exactly one EncryptedData")
		case e.Tag == "EncryptedData":
			data = e
		case e.Tag == "EncryptedKey" && e.NamespaceURI() == nsEncrypted:
			keys = append(keys, e)
		}
		return nil
	})
	switch {
	case refusal != nil:
		return nil, nil, refusal
	case data == nil || len(keys) > 1:
		return nil, nil, refuse(WrongStructure, "not exactly one EncryptedData and one EncryptedKey, but %d keys", len(keys))
	case len(keys) == 0:
		return nil, nil, refuse(CannotDecrypt, "there is no EncryptedKey")
	case method(data) == "" || method(keys[0]) == "":
		return nil, nil, refuse(WrongStructure, "the encryption method is not said")
	case !slices.Contains(goodCiphers, method(data)):
		return nil, nil, refuse(WeakAlgorithm, "encrypted with %.100q", method(data))
	case !slices.Contains(goodTransport, method(keys[0])):
		return nil, nil, refuse(WeakAlgorithm, "key encrypted with %.100q", method(keys[0]))
	}
	return data, keys[0], nil
}

func method(el *etree.Element) string {
	m := only(el, nsEncrypted, "EncryptionMethod")
	if m == nil {
		return ""
	}
	return algorithm(m)
}

// open decrypts with one key. The library panics on some ciphertexts.
func open(data, wrapped *etree.Element, key *rsa.PrivateKey) (plain []byte, err error) {
	defer func() {
		if recover() != nil {
			plain, err = nil, errors.New("the ciphertext is none")
		}
	}()
	content, err := xmlenc.Decrypt(key, wrapped)
	if err != nil {
		return nil, err
	}
	// Without the EncryptedKey, or the library would open that with content.
	alone := data.Copy()
	if info := alone.FindElement("./KeyInfo"); info != nil {
		alone.RemoveChild(info)
	}
	return xmlenc.Decrypt(content, alone)
}

// gcm is AES-GCM for the key sizes that the library lacks (XML Encryption 1.1
// section 5.2.4): 96 bits of nonce, ciphertext, 128 bits of tag.
type gcm struct {
	algorithm string
	size      int // of the key, in bytes
}

// Algorithm implements xmlenc.Decrypter.
func (g gcm) Algorithm() string { return g.algorithm }

// Decrypt implements xmlenc.Decrypter.
func (g gcm) Decrypt(key any, el *etree.Element) ([]byte, error) {
	// crewjam/saml itself hands over the key that opens the EncryptedKey.
	if wrapped := el.FindElement("./KeyInfo/EncryptedKey"); wrapped != nil {
		content, err := xmlenc.Decrypt(key, wrapped)
		if err != nil {
			return nil, err
		}
		key = content
	}
	content, ok := key.([]byte)
	if !ok || len(content) != g.size {
		return nil, errors.New("the content key has another size")
	}
	block, err := aes.NewCipher(content)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	value := el.FindElement("./CipherData/CipherValue")
	if value == nil {
		return nil, errors.New("no CipherValue")
	}
	sealed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value.Text()))
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("the ciphertext is too short")
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
}
