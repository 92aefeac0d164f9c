package api

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestGuessingIsSlowedDownPerAccountAndPerAddress(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	th := newThrottle(func() time.Time { return now })
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	try := func(account string, from netip.Addr) bool {
		_, err := th.attempt(account, from)
		return err == nil
	}
	for i := range accountBurst {
		if !try("a@example.org", here) {
			t.Fatalf("attempt %d refused", i)
		}
	}
	if try("A@example.org", there) {
		t.Error("one more attempt of the account was let through from elsewhere and in another case")
	}
	if !try("b@example.org", here) {
		t.Error("another account is refused as well")
	}
	now = now.Add(accountEvery)
	if !try("a@example.org", there) || try("a@example.org", there) {
		t.Error("after the wait exactly one attempt is free")
	}
	for i := range 2 * addressBurst {
		if ok := try(fmt.Sprint("c", i), there); ok && i >= addressBurst {
			t.Fatalf("attempt %d of one address on ever other accounts was let through", i)
		}
	}
	if !try("d", here) {
		t.Error("another address is refused as well")
	}
}

func TestSuccessGivesTheAttemptBackButNoMore(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	th := newThrottle(func() time.Time { return now })
	here := netip.MustParseAddr("2001:db8::1")
	for i := range 200 {
		success, err := th.attempt("a", here)
		if err != nil {
			t.Fatalf("attempt %d refused: %v", i, err)
		}
		success()
	}
	refused := 0
	for range 2 * accountBurst {
		if _, err := th.attempt("a", netip.MustParseAddr("2001:db8::2")); err != nil {
			refused++
		}
	}
	if refused != accountBurst {
		t.Errorf("%d of %d failures after many successes were refused, want %d", refused, 2*accountBurst, accountBurst)
	}
}

func TestTheThrottlesMemoryIsBounded(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	th := newThrottle(func() time.Time { return now })
	for i := range 3 * throttleSize {
		_, _ = th.attempt(fmt.Sprint("account", i), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if n := len(th.fresh) + len(th.stale); n > 2*throttleSize {
		t.Errorf("%d buckets are kept", n)
	}
}

func TestWithoutAnAccountOnlyTheAddressCounts(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	th := newThrottle(func() time.Time { return now })
	free := 0
	for range 2 * addressBurst {
		if success, err := th.attempt("", netip.MustParseAddr("192.0.2.1")); err == nil {
			free++
			_ = success
		}
	}
	if free != addressBurst {
		t.Errorf("%d attempts of one address were let through, want %d", free, addressBurst)
	}
	if _, err := th.attempt("", netip.MustParseAddr("192.0.2.2")); err != nil {
		t.Errorf("another address is refused as well: %v", err)
	}
}
