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

// hashCost is what making or comparing a hash costs. It stands in every hash,
// so that raising it leaves old ones readable.
type hashCost struct {
	memory, passes uint32 // memory in KiB
	threads        uint8
}

// standardCost is 19 MiB and two passes, the least that OWASP's password
// storage cheat sheet asks of argon2id.
func standardCost() hashCost { return hashCost{memory: 19 * 1024, passes: 2, threads: 1} }

const (
	saltBytes = 16
	sumBytes  = 32
)

// passwords makes and compares password hashes, a few at a time, so that a
// flood of sign-ins cannot take all memory.
type passwords struct {
	cost  hashCost
	slots chan struct{}
	decoy string // the hash that unknown accounts are compared with
}

func newPasswords(cost hashCost) *passwords {
	return &passwords{cost: cost, slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
		decoy: phc{cost, make([]byte, saltBytes), make([]byte, sumBytes)}.String()}
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
	return phc{p.cost, salt, p.cost.sum(password, salt, sumBytes)}.String(), nil
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
	got := h.cost.sum(password, h.salt, uint32(len(h.sum)))
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

func (c hashCost) sum(password string, salt []byte, size uint32) []byte {
	return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, size)
}

// phc is a hash; String writes it in the PHC format.
type phc struct {
	cost      hashCost
	salt, sum []byte
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.memory, h.cost.passes, h.cost.threads, b64(h.salt), b64(h.sum))
}

func decodeHash(text string) (phc, error) {
	var h phc
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, fmt.Errorf("not an argon2id hash")
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.cost.memory, &h.cost.passes, &h.cost.threads); n != 3 || err != nil {
		return h, fmt.Errorf("parameters of the hash: %q", parts[3])
	}
	if c := h.cost; c.memory == 0 || c.memory > 1<<20 || c.passes == 0 || c.passes > 100 || c.threads == 0 {
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
