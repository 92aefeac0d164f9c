package api

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// What a hash costs: 19 MiB and two passes, the least that OWASP's password
// storage cheat sheet asks of argon2id. The parameters stand in every hash, so
// that raising them leaves old ones readable.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashThreads = 1
	saltBytes   = 16
	sumBytes    = 32
)

// passwords makes and compares password hashes, a few at a time, so that a
// flood of sign-ins cannot take all memory.
type passwords struct {
	slots chan struct{}
	decoy string // the hash that unknown accounts are compared with
}

func newPasswords() *passwords {
	return &passwords{slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))), decoy: encodeHash(make([]byte, saltBytes), make([]byte, sumBytes))}
}

// hash is what is stored of a password, in the PHC string format. It fails
// only when ctx ends while it waits.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	if err := p.enter(ctx); err != nil {
		return "", err
	}
	defer p.leave()
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	return encodeHash(salt, argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashThreads, sumBytes)), nil
}

// matches tells whether the password is the one that was hashed. An empty or
// unreadable hash matches nothing, after the same work.
func (p *passwords) matches(ctx context.Context, hash, password string) (bool, error) {
	if err := p.enter(ctx); err != nil {
		return false, err
	}
	defer p.leave()
	h, err := decodeHash(hash)
	known := err == nil
	if !known {
		h, _ = decodeHash(p.decoy)
	}
	got := argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(got, h.sum) == 1 && known, nil
}

func (p *passwords) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *passwords) leave() { <-p.slots }

type phc struct {
	memory, passes uint32
	threads        uint8
	salt, sum      []byte
}

func encodeHash(salt, sum []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashThreads, b64(salt), b64(sum))
}

func decodeHash(text string) (phc, error) {
	var h phc
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, fmt.Errorf("not an argon2id hash")
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); n != 3 || err != nil {
		return h, fmt.Errorf("parameters of the hash: %q", parts[3])
	}
	if h.memory == 0 || h.memory > 1<<20 || h.passes == 0 || h.passes > 100 || h.threads == 0 {
		return h, fmt.Errorf("parameters of the hash out of range: %q", parts[3])
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return h, fmt.Errorf("salt of the hash: %w", err)
	}
	if h.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.sum) < 16 {
		return h, fmt.Errorf("sum of the hash cannot be read")
	}
	return h, nil
}

// newPasswordHash checks a password that somebody chose and hashes it. field
// is what the body called it.
func (a *API) newPasswordHash(ctx context.Context, field, password, email string) (string, error) {
	if why := weakPassword(password, email); why != "" {
		return "", wrongField(field, why)
	}
	return a.passwords.hash(ctx, password)
}

// weakPassword says what is wrong with a password; "" when nothing is.
func weakPassword(password, email string) string {
	folded := strings.ToLower(password)
	name, _, _ := strings.Cut(strings.ToLower(email), "@")
	switch {
	case utf8.RuneCountInString(password) < 8:
		return "The password is too short: it must have at least 8 characters."
	case len(password) > 1024:
		return "The password is too long: it must have at most 1024 bytes."
	case strings.Contains(commonPasswords, "\n"+folded+"\n"), strings.Count(folded, folded[:1]) == len(folded),
		folded == strings.ToLower(email), folded == name:
		return "The password is too common: choose one that is harder to guess."
	}
	return ""
}

// commonPasswords are those that guessing starts with.
const commonPasswords = `
password
password1
password12
password123
password1234
passw0rd
p@ssw0rd
p@ssword
12345678
123456789
1234567890
0123456789
87654321
987654321
12341234
11223344
1q2w3e4r
1q2w3e4r5t
1qaz2wsx
zaq12wsx
qwerty12
qwerty123
qwertyui
qwertyuiop
asdfghjk
asdfghjkl
abcd1234
abc12345
abcdefgh
a1b2c3d4
iloveyou
iloveyou1
sunshine
princess
football
baseball
superman
trustno1
welcome1
welcome123
letmein1
letmein123
whatever
starwars
computer
michelle
jennifer
internet
changeme
changeme1
changeme123
admin123
admin1234
administrator
metabase
metabase1
metabase123
sluice123
`
