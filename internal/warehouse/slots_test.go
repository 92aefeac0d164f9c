package warehouse

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// paper is a server whose slots and leases are written down.
type paper struct {
	taken   map[int]bool // by others
	entered []int
	lease   map[string]string // the nonce of a slot
	refuses error             // of grants
	revoked []string
	late    int // revocations that fail first
	mu      sync.Mutex
	wrong   func(slot string)
}

func (p *paper) enter(_ context.Context, b Boundary, n int, _ control) (session, error) {
	if p.taken[n] {
		return nil, errTaken
	}
	p.entered = append(p.entered, n)
	return &paperSession{p: p, slot: b.Slot(n)}, nil
}

func (p *paper) control(Boundary) control                   { return p }
func (p *paper) ready(context.Context, []stayingView) error { return nil }
func (p *paper) forget()                                    {}
func (p *paper) close()                                     {}
func (p *paper) grant(_ context.Context, slot, nonce, _ string, _ time.Duration) error {
	p.lease[slot] = nonce
	if p.wrong != nil {
		p.wrong(slot)
	}
	return p.refuses
}

func (p *paper) revoke(_ context.Context, slot string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.late > 0 {
		p.late--
		return errors.New("it does not answer")
	}
	p.revoked = append(p.revoked, slot)
	delete(p.lease, slot)
	return nil
}

type paperSession struct {
	session
	p    *paper
	slot string
	ran  int
}

func (s *paperSession) close() {}

func (s *paperSession) runLeased(_ context.Context, _ task, _ string, ready func(string) error, done func()) (*Rows, error) {
	defer done()
	if err := ready(s.p.lease[s.slot]); err != nil {
		return nil, err
	}
	s.ran++
	return &Rows{done: true}, nil
}

var paperBoundary = Boundary{Name: "sluice_x", Key: "k", Slots: 3}

func slotOn(t *testing.T, p *paper) *slot {
	t.Helper()
	s, err := newSlots(p, paperBoundary, slog.New(slog.DiscardHandler)).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.(*slot)
}

var aLease = task{sql: "select 1", leased: &leased{grants: "{}"}}

func TestASlotRunsUnderItsOwnLease(t *testing.T) {
	p := &paper{lease: map[string]string{}}
	s := slotOn(t, p)
	if _, err := s.run(t.Context(), aLease); err != nil || s.session.(*paperSession).ran != 1 || len(p.revoked) != 1 || len(p.lease) != 0 {
		t.Errorf("%v: %+v", err, p)
	}
	// Somebody else's lease stands there when the statement's transaction begins.
	for name, wrong := range map[string]func(string){
		"another": func(slot string) { p.lease[slot] = "another" },
		"none":    func(slot string) { delete(p.lease, slot) },
	} {
		p.wrong, p.revoked = wrong, nil
		_, err := s.run(t.Context(), aLease)
		var e *Error
		if !errors.As(err, &e) || e.Message != wrongRun || s.session.(*paperSession).ran != 1 || len(p.revoked) != 1 {
			t.Errorf("with %s lease: %v, %+v", name, err, p)
		}
	}
	p.wrong, p.revoked, p.refuses = nil, nil, failed(Invalid, "words of the boundary sluice_x", nil)
	_, err := s.run(t.Context(), aLease)
	var e *Error
	if !errors.As(err, &e) || strings.Contains(e.Message, "sluice_x") || s.session.(*paperSession).ran != 1 || len(p.revoked) != 1 {
		t.Errorf("without a lease: %v, %+v", err, p)
	}
	if _, err := s.run(t.Context(), task{sql: "select 1"}); err == nil {
		t.Error("a slot ran what is not held to views")
	}
}

func TestALeaseThatStaysIsTakenAwayLater(t *testing.T) {
	p := &paper{lease: map[string]string{}, late: 2}
	s := slotOn(t, p)
	if _, err := s.run(t.Context(), aLease); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(leaseLasts); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		n := len(p.revoked)
		p.mu.Unlock()
		if n > 0 {
			return
		}
	}
	t.Error("it stays")
}

func TestSlotsThatOthersHaveAreLeftToThem(t *testing.T) {
	p := &paper{lease: map[string]string{}, taken: map[int]bool{1: true}}
	all := newSlots(p, paperBoundary, slog.New(slog.DiscardHandler))
	first, err := all.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.open(t.Context()); err != nil || !slices.Equal(p.entered, []int{2, 3}) {
		t.Fatalf("%v: %v", err, p.entered)
	}
	ctx, stop := context.WithTimeout(t.Context(), 120*time.Millisecond)
	defer stop()
	if s, err := all.open(ctx); err == nil {
		t.Errorf("there is a fourth: %+v", s)
	}
	first.close()
	if _, err := all.open(t.Context()); err != nil || !slices.Equal(p.entered, []int{2, 3, 2}) {
		t.Errorf("%v: %v", err, p.entered)
	}
}

func TestWordsOfAnEngineAreToldThatCiteTheStatement(t *testing.T) {
	views := []stayingView{{name: "v_orders_1"}}
	for message, want := range map[string]bool{
		`column "idd" does not exist`: true, `column "total" does not exist`: false, `relation "sluice_x_views.v_orders_1" does not exist`: false,
		`view v_orders_1 is odd`: false, `syntax error at end of input`: true, `permission denied for schema sluice_x`: false,
	} {
		if got := tellable(message, `"`, "select idd from x", "sluice_x", views); got != want {
			t.Errorf("%s: %v", message, got)
		}
	}
}
