package api

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many sign-ins may fail: per account ten at once and then one every
// 30 seconds, per address fifty at once and then one every three seconds.
const (
	accountBurst = 10
	accountEvery = 30 * time.Second
	addressBurst = 50
	addressEvery = 3 * time.Second
	// throttleSize is how many accounts and addresses are remembered at
	// least; memory holds twice as many at most.
	throttleSize = 20_000
)

// throttle slows down guessing. It counts in memory, per node.
type throttle struct {
	now func() time.Time
	mu  sync.Mutex
	// Two generations bound the memory: when fresh is full it becomes stale,
	// and what was stale and is not asked about again is forgotten.
	fresh, stale map[[16]byte]*rate.Limiter
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, fresh: map[[16]byte]*rate.Limiter{}}
}

// attempt takes one try of the address and, unless it is "", one of the
// account. An error says how long to wait. success gives both back.
func (t *throttle) attempt(account string, address netip.Addr) (success func(), err error) {
	if address.Is6() { // one subscriber has at least a /64
		if p, err := address.Prefix(64); err == nil {
			address = p.Addr()
		}
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	byAddress := t.bucket("address "+address.String(), addressEvery, addressBurst)
	byAccount := rate.NewLimiter(rate.Inf, 0)
	if account != "" {
		byAccount = t.bucket("account "+strings.ToLower(account), accountEvery, accountBurst)
	}
	ra, rb := byAddress.ReserveN(now, 1), byAccount.ReserveN(now, 1)
	if wait := max(ra.DelayFrom(now), rb.DelayFrom(now)); wait > 0 {
		ra.CancelAt(now)
		rb.CancelAt(now)
		return nil, tooManyAttempts(wait)
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		// A negative take gives back; more than the burst is never kept.
		byAddress.AllowN(t.now(), -1)
		byAccount.AllowN(t.now(), -1)
	}, nil
}

func (t *throttle) bucket(key string, every time.Duration, burst int) *rate.Limiter {
	sum := sha256.Sum256([]byte(key))
	id := [16]byte(sum[:16])
	l, ok := t.fresh[id]
	if ok {
		return l
	}
	if l, ok = t.stale[id]; !ok {
		l = rate.NewLimiter(rate.Every(every), burst)
	}
	if len(t.fresh) >= throttleSize {
		t.fresh, t.stale = map[[16]byte]*rate.Limiter{}, t.fresh
	}
	t.fresh[id] = l
	return l
}

// tooManyAttempts is what Metabase answers: 401 with errors.username (older
// versions: 400).
func tooManyAttempts(wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	return failed{
		status: http.StatusUnauthorized,
		header: http.Header{"Retry-After": {strconv.Itoa(seconds)}},
		body:   invalid{Errors: map[string]string{"username": fmt.Sprintf("Too many attempts! You must wait %d seconds before trying again.", seconds)}},
	}
}
