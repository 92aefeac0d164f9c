package warehouse

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-bi/sluice/internal/query"
)

// SQL of people over views that stay runs as a slot: a login that may read the
// views and nothing else, and that the server lets in once at a time. So who
// has the connection has the slot, whichever process that is. Before a
// statement the control login writes the lease of its slot: which views, with
// which values of the person's. The statement's transaction first reads, in
// the snapshot that the views will be read in, that the lease is the one that
// was written for it; else it does not run. Afterwards the lease is taken away.
// One that stays behind, as a process dies, is over soon after its statement.

// leaseLasts is how much longer than its statement a lease lasts.
const leaseLasts = 5 * time.Second

// slotIdle is how long a slot may lie idle: other processes may want it.
const slotIdle = 5 * time.Second

// leased is what a task needs of a slot.
type leased struct {
	views  []stayingView
	grants string // what the lease says, in JSON
}

type stayingView struct{ name, definition string }

func leasedOf(s query.Statement) (*leased, error) {
	if !s.Leased() {
		return nil, nil
	}
	l, grants := &leased{}, map[string][]any{}
	for _, v := range s.Views() {
		l.views = append(l.views, stayingView{v.Name(), v.Definition()})
		if grants[v.Name()] = v.Values(); v.Values() == nil {
			grants[v.Name()] = []any{}
		}
	}
	text, err := json.Marshal(grants)
	l.grants = string(text)
	return l, err
}

// slotted is a source whose server can have a boundary.
type slotted interface {
	// enter connects as a slot. errTaken when it is somebody's already.
	enter(ctx context.Context, b Boundary, n int, by control) (session, error)
	// control is what writes leases.
	control(b Boundary) control
}

var errTaken = errors.New("warehouse: the slot is taken")

// control writes leases and views as the control login. It is safe for
// concurrent use, and connects when it is needed.
type control interface {
	// ready has the views, making those that are missing where it may.
	ready(ctx context.Context, views []stayingView) error
	// grant writes the lease of a slot, in place of a former one.
	grant(ctx context.Context, slot, nonce, grants string, lasts time.Duration) error
	// revoke takes the lease of a slot away.
	revoke(ctx context.Context, slot string) error
	// forget says that a view may have gone.
	forget()
	close()
}

// slots are the slots of a boundary, as a source of sessions.
type slots struct {
	Boundary
	in  slotted
	by  control
	log *slog.Logger

	mu  sync.Mutex
	own []bool // those that this process has, by their numbers
}

func newSlots(in slotted, b Boundary, log *slog.Logger) *slots {
	return &slots{Boundary: b, in: in, by: in.control(b), log: log, own: make([]bool, b.Slots+1)}
}

// open takes a slot that nobody has. Where other processes have them all it
// waits for one until ctx ends.
func (s *slots) open(ctx context.Context) (session, error) {
	for {
		for n := 1; n <= s.Slots; n++ {
			if !s.claim(n) {
				continue
			}
			c, err := s.in.enter(ctx, s.Boundary, n, s.by)
			if err == nil {
				return &slot{session: c, of: s, n: n}, nil
			}
			s.leave(n)
			if !errors.Is(err, errTaken) {
				return nil, err
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ended(ctx, nil)
		}
	}
}

func (s *slots) claim(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := !s.own[n]
	s.own[n] = true
	return free
}

func (s *slots) leave(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own[n] = false
}

// slot is a session as a slot.
type slot struct {
	session
	of *slots
	n  int
}

// slotSession runs a statement as a slot. ready is called in the transaction,
// before the statement, with what the lease says that the slot sees; an error
// of it ends the transaction. done is called when the transaction is over.
type slotSession interface {
	runLeased(ctx context.Context, t task, views string, ready func(nonce string) error, done func()) (*Rows, error)
}

// errOtherViews is of a view that is not there as it was made: somebody dropped
// it, or renamed what it reads.
var errOtherViews = errors.New("warehouse: a view is not as it was made")

func (s *slot) run(ctx context.Context, t task) (*Rows, error) {
	if t.leased == nil {
		return nil, errors.New("warehouse: a slot is for SQL of people that is held to views")
	}
	rows, err := s.once(ctx, t)
	if errors.Is(err, errOtherViews) {
		s.of.by.forget()
		rows, err = s.once(ctx, t)
	}
	if errors.Is(err, errOtherViews) {
		err = failed(Failed, wrongRun, err)
	}
	return rows, err
}

func (s *slot) once(ctx context.Context, t task) (*Rows, error) {
	if err := s.of.by.ready(ctx, t.leased.views); err != nil {
		return nil, told(ctx, err)
	}
	name, nonce := s.of.Slot(s.n), rand.Text()
	lasts := time.Hour
	if end, ok := ctx.Deadline(); ok {
		lasts = max(time.Until(end), 0) + leaseLasts
	}
	if err := s.of.by.grant(ctx, name, nonce, t.leased.grants, lasts); err != nil {
		s.revoke(ctx)
		return nil, told(ctx, err)
	}
	same := func(seen string) error {
		if seen != nonce {
			return failed(Failed, wrongRun, errors.New("the slot has another lease than was written for it"))
		}
		return nil
	}
	return s.session.(slotSession).runLeased(ctx, t, s.of.Views(), same, func() { s.revoke(ctx) })
}

// told is an error of the control login as people may know it: its words are of
// names that they did not type.
func told(ctx context.Context, err error) error {
	var e *Error
	if ctx.Err() != nil {
		return ended(ctx, err)
	}
	if errors.As(err, &e) && e.Kind == Unusable {
		return err // which only administrators are told
	}
	return failed(Failed, wrongRun, err)
}

// revoke takes the lease away. Should the server not answer, it is tried again
// for as long as the lease could last a little.
func (s *slot) revoke(ctx context.Context) {
	once := func(ctx context.Context) error {
		ctx, stop := context.WithTimeout(ctx, tidyWithin)
		defer stop()
		return s.of.by.revoke(ctx, s.of.Slot(s.n))
	}
	if once(context.WithoutCancel(ctx)) == nil {
		return
	}
	name := s.of.Slot(s.n)
	go func() {
		for range 10 {
			time.Sleep(leaseLasts / 10)
			if once(context.Background()) == nil {
				return
			}
		}
		s.of.log.Warn("a lease could not be taken away; it ends by itself", "slot", name)
	}()
}

func (s *slot) close() {
	s.session.close()
	s.of.leave(s.n)
}

// keeper keeps a connection of a control login.
type keeper[C interface {
	comparable
	close()
	judge(ctx context.Context, err error) *Error
	lost(err error) bool // the error is one of the connection
}] struct {
	open   func(ctx context.Context) (C, error)
	turn   chan struct{} // who puts something into it has the connection
	conn   C             // the zero value before it is needed
	closed atomic.Bool   // no connection stays open
}

// take waits for the connection until ctx ends.
func (k *keeper[C]) take(ctx context.Context) (release func(), err error) {
	select {
	case k.turn <- struct{}{}:
		return k.release, nil
	case <-ctx.Done():
		return nil, ended(ctx, nil)
	}
}

func (k *keeper[C]) release() {
	<-k.turn
	if k.closed.Load() {
		k.close()
	}
}

// close closes the connection, or has who uses it do so.
func (k *keeper[C]) close() {
	k.closed.Store(true)
	select {
	case k.turn <- struct{}{}:
		k.drop()
		<-k.turn
	default:
	}
}

func (k *keeper[C]) drop() {
	var none C
	if k.conn != none {
		k.conn.close()
		k.conn = none
	}
}

// use hands the connection to f: once more, when that was lost before anybody
// noticed.
func (k *keeper[C]) use(ctx context.Context, f func(C) error) error {
	release, err := k.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	var none C
	for again := k.conn != none; ; again = false {
		if k.conn == none {
			c, err := k.open(ctx)
			if err != nil {
				return err
			}
			k.conn = c
		}
		err := f(k.conn)
		if err == nil {
			return nil
		}
		judged := k.conn.judge(ctx, err)
		if !k.conn.lost(err) {
			return judged
		}
		k.drop()
		if !again || ctx.Err() != nil {
			return judged
		}
	}
}

// shelf knows which views are there.
type shelf struct {
	mu    sync.Mutex
	known map[string]bool
}

// forget looks for the views again: one may have gone.
func (s *shelf) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = nil
}

func (s *shelf) add(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]bool{}
	}
	for _, name := range names {
		s.known[name] = true
	}
}

func (s *shelf) missing(views []stayingView) []stayingView {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(views), func(v stayingView) bool { return s.known[v.name] })
}

// have makes the views that are not there as they were made.
func (s *shelf) have(views []stayingView, there func() ([][]string, error), sql func(stayingView) string, run func(string) error) error {
	if len(s.missing(views)) == 0 {
		return nil
	}
	names, err := there()
	if err != nil {
		return err
	}
	s.add(slices.Concat(names...)...)
	for _, v := range s.missing(views) {
		text := sql(v)
		if err := run(text); err != nil {
			return failed(Unusable, "a view that SQL of people needs is not there as it must be and could not be made ("+err.Error()+"). As an administrator of the database run: "+text+";", err)
		}
		s.add(v.name)
	}
	return nil
}

// tellable tells whether the engine's words about a statement can be told: they
// cite nothing but what stands in the statement, and no name of the boundary's.
func tellable(message, quote, sql, boundary string, views []stayingView) bool {
	if boundary != "" && strings.Contains(message, boundary) {
		return false
	}
	for _, v := range views {
		if strings.Contains(message, v.name) {
			return false
		}
	}
	for i, part := range strings.Split(message, quote) {
		if i%2 == 1 && !strings.Contains(sql, part) {
			return false
		}
	}
	return true
}
