package samltest

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// ciphertexts: V37, T88. The response is signed over what is sent, so that
// decryption alone can refuse it. Whoever decrypts gives one answer to all:
// two would be a padding oracle.
func (m *maker) ciphertexts() {
	damaged := []samlsp.Reason{samlsp.CannotDecrypt}
	// A changed CBC text decrypts to something, which then is no XML, or
	// signed by nobody.
	garbled := []samlsp.Reason{samlsp.CannotDecrypt, samlsp.BadXML, samlsp.UnknownSigner, samlsp.BadReference}
	sent := func(name, comment string, e Encryption, reasons []samlsp.Reason) {
		e.For = m.decrypts
		m.add(name, comment, func(r *Response) {
			c := e
			r.Encrypt = &c
		}, reasons...)
		m.add(name+", assertion signed", comment, func(r *Response) {
			c := e
			onlyAssertion(r)
			r.Encrypt = &c
		}, reasons...)
	}
	flip := func(at func(n int) int) func([]byte) []byte {
		return func(b []byte) []byte { b[at(len(b))] ^= 1; return b }
	}
	sent("CBC, first block", "T88: the initial value is changed", Encryption{Cipher: AES128CBC, Ciphertext: flip(func(int) int { return 1 })}, garbled)
	sent("CBC, middle", "T88: a block is changed", Encryption{Cipher: AES128CBC, Ciphertext: flip(func(n int) int { return n / 2 })}, garbled)
	sent("CBC, padding", "T88: the padding is changed", Encryption{Cipher: AES256CBC, Ciphertext: func(b []byte) []byte {
		b[len(b)-17] ^= 0xff
		return b
	}}, garbled)
	sent("CBC, odd length", "GHSA-hwqm-qvj9-4jr2: no multiple of the block, which panics", Encryption{Cipher: AES128CBC, Ciphertext: func(b []byte) []byte { return b[:len(b)-3] }}, damaged)
	sent("CBC, one block short", "T88: the last block is missing", Encryption{Cipher: AES128CBC, Ciphertext: func(b []byte) []byte { return b[:len(b)-16] }}, garbled)
	sent("CBC, initial value alone", "T88: nothing is left to decrypt", Encryption{Cipher: AES128CBC, Ciphertext: func(b []byte) []byte { return b[:16] }}, garbled)
	for name, n := range ordered(map[string]int{"empty": 0, "one byte": 1, "half a block": 8}) {
		cut := func(b []byte) []byte { return b[:n] }
		sent("CBC, "+name, "T88: shorter than its initial value", Encryption{Cipher: AES128CBC, Ciphertext: cut}, damaged)
		sent("GCM, "+name, "T88: shorter than its nonce, which panics in crewjam/saml", Encryption{Ciphertext: cut}, damaged)
	}
	sent("GCM, changed", "T88: the tag does not fit", Encryption{Ciphertext: flip(func(n int) int { return n / 2 })}, damaged)
	sent("GCM, tag", "T88: the tag is changed", Encryption{Ciphertext: flip(func(n int) int { return n - 1 })}, damaged)
	sent("RSA 1.5", "T88: key transport with a known oracle", Encryption{Transport: rsa15}, []samlsp.Reason{samlsp.CannotDecrypt, samlsp.WeakAlgorithm})

	hiddenMethods(sent)

	part := func(name, comment, path string, change func(e *etree.Element), reasons ...samlsp.Reason) {
		sent(name, comment, Encryption{Cipher: AES128CBC, Done: func(whole *etree.Element) { change(Find(whole, path)) }}, append(reasons, damaged...))
	}
	algorithm := func(text string) func(e *etree.Element) {
		return func(e *etree.Element) { e.CreateAttr("Algorithm", text) }
	}
	const data, key = "./EncryptedData", ".//EncryptedKey"
	part("unknown cipher", "a cipher that nobody knows", data+"/EncryptionMethod", algorithm("urn:none"), samlsp.WeakAlgorithm)
	part("triple DES", "a cipher of 64 bits a block", data+"/EncryptionMethod", algorithm(xmlencNS+"tripledes-cbc"), samlsp.WeakAlgorithm)
	part("key of another length", "a key of 16 bytes for a cipher of 32", data+"/EncryptionMethod", algorithm(AES256CBC))
	part("key transport as cipher", "RSA over the content: readers look the algorithm up in one table", data+"/EncryptionMethod", algorithm(OAEP), samlsp.WeakAlgorithm)
	part("cipher as key transport", "AES over the key: readers look the algorithm up in one table", key+"/EncryptionMethod", algorithm(AES128CBC), samlsp.WeakAlgorithm)
	part("unknown key transport", "a key transport that nobody knows", key+"/EncryptionMethod", algorithm("urn:none"), samlsp.WeakAlgorithm)
	remove := func(e *etree.Element) { e.Parent().RemoveChild(e) }
	part("no EncryptedKey", "nobody can decrypt it", key, remove)
	part("no EncryptedData", "nothing is encrypted", data, remove, samlsp.WrongStructure, samlsp.NotOne)
	part("no CipherData", "nothing is encrypted", data+"/CipherData", remove, samlsp.WrongStructure)
	part("no EncryptionMethod", "no cipher is named", data+"/EncryptionMethod", remove, samlsp.WrongStructure)
	part("key not base64", "a key that cannot be read", key+"//CipherValue", func(e *etree.Element) { e.SetText("***") })
	part("key too short", "a key that RSA cannot have made", key+"//CipherValue", func(e *etree.Element) { e.SetText("AAAA") })
	part("CipherReference", "the text is at the attacker's", data+"/CipherData", func(e *etree.Element) {
		e.Child = nil
		attr(e.CreateElement("xenc:CipherReference"), "URI", "http://evil.example/cipher")
	}, samlsp.WrongStructure)
	part("external key", "the key is at the attacker's", key, func(e *etree.Element) {
		attr(e.Parent().CreateElement("ds:RetrievalMethod"), "URI", "http://evil.example/key")
		remove(e)
	}, samlsp.WrongStructure)
	part("1000 EncryptedKeys", "T88: a thousand RSA operations, the right one last", key, func(e *etree.Element) {
		// Short, to stay below the limit of size.
		e.Parent().CreateAttr("xmlns:e", xmlencNS)
		small := etree.NewElement("e:EncryptedKey")
		small.CreateElement("e:EncryptionMethod").CreateAttr("Algorithm", OAEP)
		small.CreateElement("e:CipherData").CreateElement("e:CipherValue").SetText("AAAA")
		for range 1000 {
			before(e, small.Copy())
		}
	}, samlsp.TooComplex, samlsp.WrongStructure)
	// One of several recipients: who finds the right key is not deceived.
	m.add("two EncryptedKeys, ours last", "of two keys readers take the first or the last", func(r *Response) {
		r.Encrypt = &Encryption{For: m.decrypts, Done: func(whole *etree.Element) {
			before(Find(whole, key), (&Encryption{For: m.stranger.Keys[First]}).encryptedKey(make([]byte, 16)))
		}}
	}, samlsp.CannotDecrypt, samlsp.WrongStructure).orNameID("ada@partner.example")
	m.add("wrong key", "T88: encrypted for somebody else", func(r *Response) {
		r.Encrypt = &Encryption{For: m.stranger.Keys[First]}
	}, damaged...)
	m.tree("EncryptedID", "an encrypted name instead of the NameID", func(t *Tree) {
		id := Find(t.Assertion, ".//NameID")
		sealed := (&Encryption{For: m.decrypts}).element(t.r.Style, text(detached(id)))
		sealed.Tag = "EncryptedID"
		before(id, sealed)
		id.Parent().RemoveChild(id)
	}, samlsp.NoSubject, samlsp.CannotDecrypt, samlsp.WrongStructure)
}

// hiddenMethods name one method to those who look at namespaces, and another
// to xmlenc, which finds elements and attributes by their local names.
func hiddenMethods(sent func(name, comment string, e Encryption, reasons []samlsp.Reason)) {
	for what, done := range ordered(map[string]func(method *etree.Element, weak, strong string){
		"an element of another namespace": func(method *etree.Element, weak, strong string) {
			hidden := etree.NewElement("f:EncryptionMethod")
			attr(hidden, "xmlns:f", "urn:example:foreign", "Algorithm", weak)
			before(method, hidden)
			method.CreateAttr("Algorithm", strong)
		},
		"an attribute of another namespace": func(method *etree.Element, weak, strong string) {
			method.Attr = nil
			attr(method, "xmlns:f", "urn:example:foreign", "f:Algorithm", weak, "Algorithm", strong)
		},
	}) {
		refused := []samlsp.Reason{samlsp.WeakAlgorithm, samlsp.WrongStructure, samlsp.BadNamespace}
		sent("RSA 1.5 in "+what, "the method that is checked is another than the one that decrypts", Encryption{Transport: rsa15, Done: func(whole *etree.Element) {
			done(Find(whole, ".//EncryptedKey/EncryptionMethod"), rsa15, OAEP)
		}}, refused)
		sent("a cipher in "+what, "the method that is checked is another than the one that decrypts", Encryption{Cipher: AES128CBC, Done: func(whole *etree.Element) {
			done(Find(whole, "./EncryptedData/EncryptionMethod"), AES128CBC, AES256GCM)
		}}, refused)
	}
}

// plaintexts: T88. What is decrypted is as hostile as what is not.
func (m *maker) plaintexts() {
	inside := func(name, comment string, change func(string) string, reasons ...samlsp.Reason) {
		for suffix, cipher := range ordered(map[string]string{"": AES128GCM, ", CBC": AES256CBC}) {
			m.add(name+suffix, comment, func(r *Response) {
				onlyAssertion(r)
				r.Encrypt = &Encryption{For: m.decrypts, Cipher: cipher, Plaintext: change}
			}, reasons...)
		}
	}
	unreadable := []samlsp.Reason{samlsp.BadXML, samlsp.CannotDecrypt}
	m.add("unsigned inside", "V37: encrypted is not signed: everybody has the key for it", func(r *Response) {
		r.SignAssertion, r.SignResponse = nil, nil
		r.Encrypt = &Encryption{For: m.decrypts}
	}, samlsp.Unsigned)
	m.add("stranger inside", "T88: signed by a stranger, then encrypted", func(r *Response) {
		*onlyAssertion(r) = Signing{Key: m.stranger.Keys[First]}
		r.Encrypt = &Encryption{For: m.decrypts}
	}, samlsp.UnknownSigner)
	m.add("SHA-1 inside", "T79: signed with SHA-1, then encrypted", func(r *Response) {
		*onlyAssertion(r) = Signing{Method: rsaSHA1, Digest: digestSHA1}
		r.Encrypt = &Encryption{For: m.decrypts}
	}, samlsp.WeakAlgorithm)
	m.add("one ID for both", "T78: the encrypted assertion has the response's ID", func(r *Response) {
		onlyAssertion(r)
		r.Assertion.ID = r.ID
		r.Encrypt = &Encryption{For: m.decrypts}
	}, samlsp.DuplicateID)
	m.add("ID of the EncryptedData", "T78: the encrypted assertion has an identifier of its shell", func(r *Response) {
		onlyAssertion(r)
		r.Encrypt = &Encryption{For: m.decrypts, Done: func(whole *etree.Element) {
			Find(whole, "./EncryptedData").CreateAttr("Id", r.Assertion.ID)
		}}
	}, samlsp.DuplicateID).orNameID("ada@partner.example")
	inside("changed inside", "signed, changed, then encrypted", func(s string) string {
		return strings.Replace(s, "ada@partner.example</saml:NameID>", victim+"</saml:NameID>", 1)
	}, samlsp.UnknownSigner, samlsp.BadReference)
	inside("comment inside", "V40: the encrypted name ends at a comment for some", func(s string) string {
		return strings.Replace(s, "ada@partner.example</saml:NameID>", "ada@partner<!---->.example</saml:NameID>", 1)
	}, samlsp.Comment)
	inside("DOCTYPE inside", "T89: a document type in what was encrypted", func(s string) string { return `<!DOCTYPE x [<!ENTITY e "x">]>` + s },
		samlsp.Doctype, samlsp.CannotDecrypt)
	inside("XXE inside", "T89: an entity in what was encrypted", func(s string) string {
		return `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + strings.Replace(s, "ada@", "&e;@", 1)
	}, samlsp.Doctype, samlsp.CannotDecrypt)
	inside("garbage inside", "no XML was encrypted", func(string) string { return "garbage" }, unreadable...)
	inside("nothing inside", "nothing was encrypted", func(string) string { return "" }, unreadable...)
	inside("zeros inside", "zeros were encrypted", func(string) string { return strings.Repeat("\x00", 64) }, unreadable...)
	inside("half inside", "half of the assertion was encrypted", func(s string) string { return s[:len(s)/2] }, unreadable...)
	inside("text behind", "text behind what was encrypted", func(s string) string { return s + "x" }, unreadable...)
	inside("two inside", "a forged assertion behind the signed one", func(s string) string {
		return s + strings.ReplaceAll(s, "ada@partner.example", victim)
	}, append(unreadable, samlsp.NotOne, samlsp.WrongStructure)...)
	inside("forged first inside", "a forged assertion before the signed one", func(s string) string {
		return strings.ReplaceAll(s, "ada@partner.example", victim) + s
	}, append(unreadable, samlsp.NotOne, samlsp.WrongStructure)...)
	inside("another element inside", "something else was encrypted", func(string) string { return `<x xmlns="urn:evil:namespace"/>` },
		append(unreadable, samlsp.NotOne, samlsp.WrongStructure, samlsp.Unsigned)...)
	inside("shell inside", "the signed assertion in a forged one", func(s string) string {
		forged := strings.Replace(strings.ReplaceAll(s, "ada@partner.example", victim), `ID="_`, `ID="_0`, 1)
		cut := strings.Index(forged, "<ds:Signature")
		end := strings.Index(forged, "</ds:Signature>") + len("</ds:Signature>")
		forged = forged[:cut] + forged[end:]
		return strings.Replace(forged, "</saml:Conditions>", "</saml:Conditions><saml:Advice>"+s+"</saml:Advice>", 1)
	}, wrappedReasons...)
	nested := &Encryption{For: m.decrypts}
	inside("encrypted twice", "an encrypted assertion was encrypted", func(s string) string {
		return text(nested.element(Style{Protocol: "samlp", Assertion: "saml"}, s))
	}, append(unreadable, samlsp.NotOne, samlsp.WrongStructure, samlsp.Unsigned)...)
	inside("bomb inside", "T95: many elements in what was encrypted", func(string) string {
		return `<saml:Assertion xmlns:saml="` + AssertionNS + `">` + strings.Repeat("<a/>", 25_000) + "</saml:Assertion>"
	}, append(unreadable, samlsp.TooComplex, samlsp.TooLarge)...)
	inside("depth inside", "T95: many levels in what was encrypted", func(string) string {
		return strings.Repeat("<a>", 15_000) + strings.Repeat("</a>", 15_000)
	}, append(unreadable, samlsp.TooComplex, samlsp.TooLarge)...)
}
