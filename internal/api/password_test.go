package api

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestPasswordHashesMatchOnlyTheirPassword(t *testing.T) {
	p := newPasswords(standardCost())
	hash, err := p.hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q is not in the PHC format", hash)
	}
	if again, _ := p.hash(t.Context(), "correct horse"); again == hash {
		t.Error("two hashes of one password are equal: no salt")
	}
	for _, c := range []struct {
		hash, password string
		want           bool
	}{
		{hash, "correct horse", true},
		{hash, "Correct horse", false},
		{hash, "", false},
		{"", "correct horse", false},
		{"", "", false},
		{p.decoy, "correct horse", false},
		{strings.Replace(hash, "m=19456", "m=0", 1), "correct horse", false},
		{strings.Replace(hash, "m=19456", "m=99999999", 1), "correct horse", false},
		{hash[:len(hash)-30], "correct horse", false},
		{"$2a$10$abcdefghijklmnopqrstuv", "correct horse", false},
	} {
		if got, err := p.matches(t.Context(), c.hash, c.password); err != nil || got != c.want {
			t.Errorf("matches(%q, %q) = %v, %v; want %v", c.hash, c.password, got, err, c.want)
		}
	}
}

func TestOnlyAFewPasswordsAreHashedAtOnce(t *testing.T) {
	p := newPasswords(standardCost())
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.hash(ctx, "whatever it is"); !errors.Is(err, context.Canceled) {
		t.Errorf("hash with all slots taken: %v", err)
	}
	if _, err := p.matches(ctx, p.decoy, "whatever it is"); !errors.Is(err, context.Canceled) {
		t.Errorf("matches with all slots taken: %v", err)
	}
}

func TestPoorPasswordsAreRefusedWithAReason(t *testing.T) {
	for password, want := range map[string]string{
		"":                           "too short",
		"seven77":                    "too short",
		"äöüäöüä":                    "too short",
		"password1":                  "too common",
		"PassWord1":                  "too common",
		"aaaaaaaaaaaa":               "too common",
		"ann@example.org":            "too common",
		"Ann.Example":                "", // only the whole address and its first part are too close
		"a long sentence":            "",
		"x7Tq9!kz":                   "",
		"Secret123!":                 "",
		strings.Repeat("ab", 600):    "too long",
		"0f8c2a9e4b7d1356aa00bb11cc": "",
	} {
		got := weakPassword(password, "ann@example.org")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
}
