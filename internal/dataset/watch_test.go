package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// barren computes without end and never has a row.
const barren = endless + " WHERE x < 0"

// meanwhile starts a run of the person, waits until its statement has the
// connection, does something, and gives what the run ended with.
func (w *world) meanwhile(r Request, do func()) error {
	w.t.Helper()
	done := make(chan error)
	go func() {
		_, err := w.door.Run(w.t.Context(), w.person, r, &answer{})
		done <- err
	}()
	for w.pool.InUse(sampleID) == 0 {
		time.Sleep(time.Millisecond)
	}
	do()
	return <-done
}

func TestNarrowingEndsAStatementThatHasNoRowYet(t *testing.T) {
	w := newWorld(t, Options{Timeout: 20 * time.Second})
	for _, tt := range []struct {
		name   string
		narrow func()
	}{
		{"blocked", func() { w.grant(permission.Blocked, permission.None) }},
		{"no longer SQL", func() { w.grant(permission.Unrestricted, permission.QueryBuilder) }},
		{"sandboxed", func() { w.sandbox("3") }},
		{"deactivated", func() {
			if err := w.store.DeactivateUser(t.Context(), store.Actor{}, w.person); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.grant(permission.Unrestricted, permission.Native)
			w.draft(func(d *permission.Draft) error {
				return d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables["orders"]), permission.Unrestricted)
			})
			err := w.meanwhile(ask(native(barren)), tt.narrow)
			if says := fails(t, err, MissingPermissions); says != refusal {
				t.Errorf("the person reads %q", says)
			}
			if last := w.lastRun(); last.Outcome != "denied" {
				t.Errorf("recorded as %+v", last)
			}
		})
	}
}

func TestChangesThatAreNoneForThePersonEndNoStatement(t *testing.T) {
	w := newWorld(t, Options{Timeout: 2500 * time.Millisecond})
	w.grant(permission.Unrestricted, permission.Native)
	fails(t, w.meanwhile(ask(native(barren)), func() {
		w.share(w.collection("another"), permission.Read)
		w.move(w.card(w.open, w.list("orders")), w.closed)
	}), TimedOut)
}

// move puts a card into another collection.
func (w *world) move(c store.Card, to permission.CollectionID) {
	w.t.Helper()
	if _, err := w.store.UpdateCard(w.t.Context(), store.Actor{User: w.admin}, c, store.CardUpdate{Collection: &to}); err != nil {
		w.t.Fatal(err)
	}
}

func TestCardThatMovesOutOfReachEndsItsStatement(t *testing.T) {
	w := newWorld(t, Options{Timeout: 20 * time.Second})
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	card := w.card(w.open, native(barren))
	err := w.meanwhile(Request{Card: card.ID}, func() { w.move(card, w.closed) })
	if says := fails(t, err, MissingPermissions); says != refusal {
		t.Errorf("the person reads %q", says)
	}
}

func TestRevokingDownloadEndsAnExport(t *testing.T) {
	w := newWorld(t, Options{})
	download := func(l permission.Level) {
		w.draft(func(d *permission.Draft) error {
			return d.Set(w.group, sampleID, permission.Download, permission.WholeDatabase(), l)
		})
	}
	for _, tt := range []struct {
		context  string
		from, to permission.Level
		ends     bool
	}{
		{"csv-download", permission.Full, permission.None, true},
		{"csv-download", permission.Full, permission.Limited, true},
		{"csv-download", permission.Limited, permission.Full, false},
		{"ad-hoc", permission.Full, permission.None, false}, // it is looked at
	} {
		name := fmt.Sprint(tt.context, " from ", tt.from, " to ", tt.to)
		w.grant(permission.Unrestricted, permission.QueryBuilder)
		download(tt.from)
		a := &answer{row: func(n int) error {
			if n == 5 {
				download(tt.to)
			}
			return nil
		}}
		_, err := w.door.Run(t.Context(), w.person, Request{Query: json.RawMessage(w.list("orders")), Context: tt.context}, a)
		if !tt.ends {
			if err != nil || len(a.rows) <= 5 {
				t.Errorf("%s: %d rows, %v", name, len(a.rows), err)
			}
			continue
		}
		var e *QueryError
		if !errors.As(err, &e) || e.Type != MissingPermissions || len(a.rows) != 5 {
			t.Errorf("%s: %d rows, 5 of them before, %v", name, len(a.rows), err)
		}
	}
}

// stuck is a sink that takes nothing until somebody interrupts it.
type stuck struct {
	answer
	in   chan struct{}
	over chan struct{}
}

func newStuck() *stuck { return &stuck{in: make(chan struct{}), over: make(chan struct{})} }

func (s *stuck) Row([]any) error {
	close(s.in)
	<-s.over
	return errors.New("interrupted")
}

func (s *stuck) Interrupt() { close(s.over) }

func TestSinkThatTakesNothingIsInterrupted(t *testing.T) {
	w := newWorld(t, Options{Timeout: time.Second})
	s := newStuck()
	if _, err := w.door.Run(t.Context(), w.admin, ask(native(endless)), s); err == nil {
		t.Error("it ended well")
	}

	w.door.timeout = defaultTimeout
	w.grant(permission.Unrestricted, permission.Native)
	s = newStuck()
	go func() {
		<-s.in
		w.grant(permission.Blocked, permission.None)
	}()
	_, err := w.door.Run(t.Context(), w.person, ask(native(endless)), s)
	fails(t, err, MissingPermissions)
}

// slow is a sink that keeps its first row until the run is over.
type slow struct {
	in   chan<- struct{}
	over chan struct{}
	rows int
}

func (s *slow) Begin(Head) error { return nil }

func (s *slow) Row([]any) error {
	if s.rows++; s.rows == 1 {
		s.in <- struct{}{}
		<-s.over
	}
	return nil
}

func (s *slow) Interrupt() { close(s.over) }

func TestNobodyTakesAllConnectionsOfADatabase(t *testing.T) {
	w := newWorld(t, Options{Wait: shortly})
	w.grant(permission.Unrestricted, permission.Native)
	ctx, stop := context.WithCancel(t.Context())
	in, done := make(chan struct{}), make(chan error)
	const half = warehouse.MaxConnections / 2
	for range half {
		go func() {
			_, err := w.door.Run(ctx, w.person, ask(native(endless)), &slow{in: in, over: make(chan struct{})})
			done <- err
		}()
	}
	for range half {
		<-in
	}
	if says := fails(t, second(w.run(w.person, ask(w.list("orders")))), Busy); !strings.Contains(says, fmt.Sprint(half)) {
		t.Errorf("the message is %q", says)
	}
	if _, _, err := w.run(w.admin, ask(w.list("orders"))); err != nil {
		t.Errorf("another person: %v", err)
	}
	stop()
	for range half {
		fails(t, <-done, Cancelled)
	}
	if _, _, err := w.run(w.person, ask(w.list("orders"))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if n := len(w.door.turns.people); n != 0 {
		t.Errorf("%d people are still counted", n)
	}
}

func TestWaitForAConnectionHasAnEnd(t *testing.T) {
	w := newWorld(t, Options{Wait: shortly})
	var taken []*warehouse.Conn
	for range warehouse.MaxConnections {
		c, err := w.pool.Acquire(t.Context(), w.sample())
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, c)
	}
	fails(t, second(w.run(w.admin, ask(w.list("orders")))), Busy)
	for _, c := range taken {
		c.Release()
	}
}
