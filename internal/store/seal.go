package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// seal keeps secrets in the application database unreadable without the key,
// which lies outside of it.
type seal struct {
	aead        cipher.AEAD
	fingerprint string
	masks       []byte // see MaskKey
	boundaries  []byte // see BoundaryKey
}

func newSeal(key []byte) (seal, error) {
	if len(key) != 32 {
		return seal{}, fmt.Errorf("the key that seals connection details has %d bytes and must have 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return seal{}, err
	}
	derived := func(purpose string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(purpose))
		return mac.Sum(nil)
	}
	return seal{aead, hex.EncodeToString(derived("sluice: fingerprint of the key")[:16]), derived("sluice: hashes of masked values"),
		derived("sluice: boundaries inside of databases")}, nil
}

// MaskKey is the secret with which values of a database are hashed that policies
// show hashed. Whoever runs that database can learn it, and no other one's.
// It is the same on all servers of an application database, and another one
// with another key.
func (s *Store) MaskKey(of catalog.DatabaseID) string {
	return derivedFor(s.seal.masks, of)
}

// BoundaryKey is the secret from which the passwords are derived of the logins
// that hold SQL of people inside of a database.
func (s *Store) BoundaryKey(of catalog.DatabaseID) string { return derivedFor(s.seal.boundaries, of) }

func derivedFor(key []byte, of catalog.DatabaseID) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "database %d", of)
	return hex.EncodeToString(mac.Sum(nil))
}

// close seals a text for one place: it can be opened for no other.
func (s seal) close(place string, text []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, text, []byte(place))
}

// open reads what close sealed for the same place.
func (s seal) open(place string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("what is sealed for " + place + " is cut off")
	}
	text, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(place))
	if err != nil {
		return nil, errors.New("what is sealed for " + place + " was altered, or sealed with another key")
	}
	return text, nil
}
