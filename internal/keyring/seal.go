package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrSealed: a sealed value cannot be opened, because it is damaged, belongs to
// another context or account, or its key is unknown or retired. It says no more
// on purpose.
var ErrSealed = errors.New("sealed value cannot be opened")

// sealFormat is the first byte of a sealed value. After it: four bytes of key
// version, twelve of nonce, the ciphertext and a tag of sixteen.
const (
	sealFormat    = 1
	sealHead      = 1 + 4
	sealNonceSize = 12
	sealTagSize   = 16
)

// SealOverhead is by how many bytes a sealed value is longer than its plaintext.
const SealOverhead = sealHead + sealNonceSize + sealTagSize

// Seal encrypts with AES-256-GCM (NIST SP 800-38D) and a random nonce under the
// active key. Context names the kind of value ("totp secret"); associated binds
// it to its owner, such as the account's id: a row moved to another account
// does not open there.
func (r *Ring) Seal(context string, associated, plaintext []byte) ([]byte, error) {
	k := r.active(Seal)
	aead, err := r.sealer(k)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", context, err)
	}
	head := binary.BigEndian.AppendUint32([]byte{sealFormat}, k.Version.Version)
	// NewGCMWithRandomNonce puts the nonce before the ciphertext.
	return aead.Seal(head, nil, plaintext, sealData(head, context, associated)), nil
}

// Open reverses Seal with the key that the value names. Every failure is
// ErrSealed.
func (r *Ring) Open(context string, associated, sealed []byte) ([]byte, error) {
	version, ok := SealedVersion(sealed)
	if !ok {
		return nil, ErrSealed
	}
	k, err := r.usable(Seal, version)
	if err != nil {
		return nil, ErrSealed
	}
	aead, err := r.sealer(k)
	if err != nil {
		return nil, ErrSealed
	}
	head := sealed[:sealHead]
	plaintext, err := aead.Open(nil, nil, sealed[sealHead:], sealData(head, context, associated))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// SealedVersion reads which key a sealed value names, for sealing it anew after
// a rotation. The value is not checked.
func SealedVersion(sealed []byte) (version uint32, ok bool) {
	if len(sealed) < SealOverhead || sealed[0] != sealFormat {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:sealHead]), true
}

// sealer is the cipher of a key: made once, since to derive it costs more than
// most uses of it.
func (r *Ring) sealer(k key) (cipher.AEAD, error) {
	if made, ok := r.sealers.Load(k.Version.Version); ok {
		return made.(func() cipher.AEAD)(), nil
	}
	// The material is 32 bytes when we made it; longer ones are reduced so that
	// AES-256 is what runs.
	block, err := aes.NewCipher(derive(k, "seal", KeyBytes))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	r.sealers.Store(k.Version.Version, func() cipher.AEAD { return aead })
	return aead, nil
}

// sealData is what the tag covers besides the ciphertext. The context's length
// comes first, so that no context and owner read like another pair.
func sealData(head []byte, context string, associated []byte) []byte {
	data := append([]byte(nil), head...)
	data = binary.BigEndian.AppendUint64(data, uint64(len(context)))
	data = append(data, context...)
	return append(data, associated...)
}
