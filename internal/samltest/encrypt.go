package samltest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // the digest of the OAEP that everybody writes
	"encoding/base64"
	"strings"

	"github.com/beevik/etree"
)

// Ciphers and key transports of XML Encryption.
const (
	AES128CBC = xmlencNS + "aes128-cbc"
	AES192CBC = xmlencNS + "aes192-cbc"
	AES256CBC = xmlencNS + "aes256-cbc"
	AES128GCM = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
	AES192GCM = "http://www.w3.org/2009/xmlenc11#aes192-gcm"
	AES256GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
	OAEP      = xmlencNS + "rsa-oaep-mgf1p"
	rsa15     = xmlencNS + "rsa-1_5"
)

// Encryption makes an EncryptedAssertion. The cipher is AES-128-GCM and the
// key transport OAEP with SHA-1, where nothing else is said.
type Encryption struct {
	For    *Key
	Cipher string
	// Transport is how the content's key is encrypted: OAEP or rsa15.
	Transport string
	// Beside puts the EncryptedKey beside the EncryptedData, not into it.
	Beside bool
	// Plaintext changes what is encrypted, Ciphertext the result (with its
	// IV), Done the EncryptedAssertion.
	Plaintext  func(string) string
	Ciphertext func([]byte) []byte
	Done       func(*etree.Element)
}

// encrypt puts an EncryptedAssertion in the assertion's place.
func (c *Encryption) encrypt(t *Tree) {
	if c == nil {
		return
	}
	doc := etree.NewDocument()
	doc.SetRoot(detached(t.Assertion))
	text := (&Tree{Doc: doc}).String()
	if c.Plaintext != nil {
		text = edited(text, c.Plaintext)
	}
	at, parent := t.Assertion.Index(), t.Assertion.Parent()
	parent.RemoveChildAt(at)
	parent.InsertChildAt(at, c.element(t.r.Style, text))
}

// element is an EncryptedAssertion with that content.
func (c *Encryption) element(s Style, text string) *etree.Element {
	name := or(c.Cipher, AES128GCM)
	size := 16
	switch {
	case strings.Contains(name, "aes192"):
		size = 24
	case strings.Contains(name, "aes256"):
		size = 32
	}
	key := make([]byte, size)
	rand.Read(key)
	sealed := sealCBC
	if strings.HasSuffix(name, "-gcm") {
		sealed = sealGCM
	}
	ciphertext := sealed(key, []byte(text))
	if c.Ciphertext != nil {
		ciphertext = c.Ciphertext(ciphertext)
	}

	whole := etree.NewElement(s.assertion("EncryptedAssertion"))
	if !s.OnRoot {
		declare(whole, s.Assertion, AssertionNS)
	}
	data := whole.CreateElement("xenc:EncryptedData")
	attr(data, "xmlns:xenc", xmlencNS, "Id", newID(), "Type", xmlencNS+"Element")
	data.CreateElement("xenc:EncryptionMethod").CreateAttr("Algorithm", name)
	info := data.CreateElement("ds:KeyInfo")
	info.CreateAttr("xmlns:ds", SignatureNS)
	encrypted := c.encryptedKey(key)
	if c.Beside {
		attr(info.CreateElement("ds:RetrievalMethod"), "Type", xmlencNS+"EncryptedKey", "URI", "#"+encrypted.SelectAttrValue("Id", ""))
		whole.AddChild(encrypted)
	} else {
		info.AddChild(encrypted)
	}
	cipherValue(data, ciphertext)
	if c.Done != nil {
		c.Done(whole)
	}
	return whole
}

func (c *Encryption) encryptedKey(key []byte) *etree.Element {
	public := c.For.Certificate.PublicKey.(*rsa.PublicKey)
	var sealed []byte
	var err error
	if c.Transport == rsa15 {
		//lint:ignore SA1019 what is made with it has to be refused
		sealed, err = rsa.EncryptPKCS1v15(rand.Reader, public, key)
	} else {
		sealed, err = rsa.EncryptOAEP(sha1.New(), rand.Reader, public, key, nil)
	}
	if err != nil {
		panic(err) // a key of 32 bytes at most fits
	}
	e := etree.NewElement("xenc:EncryptedKey")
	attr(e, "xmlns:xenc", xmlencNS, "Id", newID())
	method := e.CreateElement("xenc:EncryptionMethod")
	method.CreateAttr("Algorithm", or(c.Transport, OAEP))
	if c.Transport != rsa15 {
		attr(method.CreateElement("ds:DigestMethod"), "xmlns:ds", SignatureNS, "Algorithm", digestSHA1)
	}
	cipherValue(e, sealed)
	return e
}

func cipherValue(e *etree.Element, ciphertext []byte) {
	e.CreateElement("xenc:CipherData").CreateElement("xenc:CipherValue").SetText(base64.StdEncoding.EncodeToString(ciphertext))
}

// sealCBC pads as XML Encryption does (section 5.2 of version 1.1): the last
// byte counts.
func sealCBC(key, text []byte) []byte {
	block := must(aes.NewCipher(key))
	pad := make([]byte, aes.BlockSize-len(text)%aes.BlockSize)
	pad[len(pad)-1] = byte(len(pad))
	text = append(text, pad...)
	sealed := make([]byte, aes.BlockSize+len(text))
	rand.Read(sealed[:aes.BlockSize])
	cipher.NewCBCEncrypter(block, sealed[:aes.BlockSize]).CryptBlocks(sealed[aes.BlockSize:], text)
	return sealed
}

// sealGCM puts a nonce of 96 bits before the text and the tag behind it.
func sealGCM(key, text []byte) []byte {
	seal := must(cipher.NewGCM(must(aes.NewCipher(key))))
	nonce := make([]byte, seal.NonceSize())
	rand.Read(nonce)
	return seal.Seal(nonce, nonce, text, nil)
}

// must is for what cannot fail with the constants above.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
