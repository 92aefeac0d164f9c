package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Actor is who writes, why and in which request: recorded with the revision
// and the audit event. The zero User is the server itself.
type Actor struct {
	User    permission.UserID
	Reason  string
	Request string
}

// Bump says which of the two revision counters of the API a change raises. A
// change of the data graph, of groups or of the catalog raises Data, and one
// of collection levels Collection, whether asked for or not.
type Bump struct {
	Data, Collection bool
}

// Change is the one way in which permission state changes. f gets the current
// graph inside the write transaction and returns the typed changes that are
// wanted, and which counters rise. They are applied, written as rows, recorded
// as one revision, audited, committed and then published; the new graph is
// returned. Nothing returned and nothing bumped writes nothing. f holds the
// lock of all writes: it must not write to the store itself.
//
// Errors: what f returns, unchanged; *InvalidError for changes that would
// leave the state broken (the last active administrator gone, a user outside
// All Users, levels for Administrators or for something that is not there);
// ErrConflict when a change's From is not the present state.
func (s *Store) Change(ctx context.Context, who Actor, f func(*permission.Graph) ([]permission.Change, Bump, error)) (*permission.Graph, error) {
	return s.write(ctx, who, func(w *writer) error {
		changes, bump, err := f(w.graph)
		if err != nil {
			return err
		}
		w.bump.Data = w.bump.Data || bump.Data
		w.bump.Collection = w.bump.Collection || bump.Collection
		return w.apply(changes...)
	})
}

// writer is one write of permission state: a transaction that holds the lock
// of the history's head, and the graph as it will be after the commit.
type writer struct {
	conn
	ctx     context.Context
	who     Actor
	now     time.Time
	before  *permission.Graph
	graph   *permission.Graph // with what was applied so far
	changes []permission.Change
	bump    Bump
	catalog catalog.DatabaseID // whose catalog changed; 0 for none
	note    string             // what happened to it
	narrows bool               // somebody loses
}

// write runs f with the current graph under the lock, records what f applied
// as one revision, commits, and publishes the new graph. When somebody loses
// by it, or may have lost by an earlier one, it returns when that holds on
// every server: who repeats a revoke, or finds that nothing is left to revoke,
// is told no more than what is so everywhere. When f or anything after it
// fails, nothing is applied.
func (s *Store) write(ctx context.Context, who Actor, f func(*writer) error) (*permission.Graph, error) {
	next, err := s.commit(ctx, who, f)
	if err != nil {
		return nil, err
	}
	if narrowed := s.narrowed.Load(); narrowed != 0 {
		s.inForce(ctx, min(narrowed, next.revision))
		if narrowed <= next.revision {
			s.narrowed.CompareAndSwap(narrowed, 0)
		}
	}
	return next.graph, nil
}

// mayNarrow notes that somebody may have lost by what leads to the revision,
// which is published next, and that it is not known to be in force elsewhere.
func (s *Store) mayNarrow(revision int64) {
	for {
		was := s.narrowed.Load()
		if was >= revision || s.narrowed.CompareAndSwap(was, revision) {
			return
		}
	}
}

func (s *Store) commit(ctx context.Context, who Actor, f func(*writer) error) (next *snapshot, err error) {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	narrows := false
	err = s.tx(ctx, func(c conn) error {
		// Writing the row locks it on both engines.
		h, err := one(ctx, c, scanHead, "update head set id = id returning "+headColumns)
		if err != nil {
			return err
		}
		snap := s.snap.Load()
		if h.revision != snap.revision { // another node wrote
			if snap, err = catchUp(ctx, c, snap, h); err != nil {
				return err
			}
			s.mayNarrow(snap.revision)
			s.publish(snap)
		}
		w := &writer{conn: c, ctx: ctx, who: who, now: s.now(), before: snap.graph, graph: snap.graph}
		if err := f(w); err != nil {
			return err
		}
		next, err = w.record(h.point, snap.digest)
		narrows = w.narrows
		return err
	})
	if err != nil {
		if next != nil && !errors.Is(err, ErrNoLease) {
			s.settle(ctx)
		}
		return nil, err
	}
	if narrows {
		s.mayNarrow(next.revision)
	}
	s.publish(next)
	return next, nil
}

// settle asks the database what holds after a commit whose outcome is not
// known: the connection may have broken after the commit was done. What was
// revoked must not stay in force here until the next write.
func (s *Store) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.Refresh(ctx); err != nil {
		s.log.ErrorContext(ctx, "the outcome of a write of permissions is not known", "error", err)
	}
}

// nextData is the data revision that the write will have if it takes one.
func (w *writer) nextData() catalog.Revision { return w.before.Revision() + 1 }

// nextCollection is the same for the collection graph's revision, as cells
// note it.
func (w *writer) nextCollection() catalog.Revision {
	return catalog.Revision(w.before.CollectionRevision() + 1)
}

// apply makes the changes: in the graph and as rows.
func (w *writer) apply(changes ...permission.Change) error {
	g, err := w.graph.Apply(changes...)
	switch {
	case errors.Is(err, permission.ErrStale):
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case err != nil:
		return invalid("", "%v.", err)
	}
	w.graph = g
	w.changes = append(w.changes, changes...)
	for _, c := range changes {
		if err := w.row(c); err != nil {
			return err
		}
	}
	return nil
}

// setCatalog makes c, which differs in one database, the catalog after the
// write, and notes in a few words what happened to it. Its rows are the
// caller's.
func (w *writer) setCatalog(c *catalog.Snapshot, of catalog.DatabaseID, note string, args ...any) {
	w.graph = w.graph.WithCatalog(c)
	w.catalog, w.bump.Data, w.note = of, true, fmt.Sprintf(note, args...)
}

// record checks what was applied, to a state with the digest, and writes it
// down as one revision.
func (w *writer) record(h point, digest permission.Digest) (*snapshot, error) {
	for _, c := range w.changes {
		if err := standing(w.graph, c); err != nil {
			return nil, err
		}
		data, collection := raises(c)
		w.bump.Data = w.bump.Data || data
		w.bump.Collection = w.bump.Collection || collection
	}
	if len(w.changes) == 0 && w.bump == (Bump{}) {
		return &snapshot{w.before, h.revision, digest}, nil
	}
	if err := w.keepAdministrator(); err != nil {
		return nil, err
	}
	h.revision++
	if w.bump.Data {
		h.data++
	}
	if w.bump.Collection {
		h.collection++
	}
	for _, c := range w.changes {
		if newerThan(c, h) {
			return nil, fmt.Errorf("store: %s: it is of a revision in the future", c)
		}
	}
	w.graph = w.graph.WithRevisions(h.data, h.collection)
	effect := permission.EffectOf(w.before, w.graph)
	w.narrows = effect.Narrows()
	changes, err := permission.EncodeChanges(w.changes)
	if err != nil {
		return nil, err
	}
	digest = digest.After(w.changes...)
	advance := "update head set revision = $1, data = $2, collection = $3, digest = $4, digested = $1"
	if w.s.postgres != nil { // the other servers hear of it with the commit
		advance += " returning pg_notify('" + channel + "', revision::text)"
	}
	err = w.execOne(w.ctx, advance, h.revision, h.data, h.collection, digest)
	if err != nil {
		return nil, err
	}
	err = w.execOne(w.ctx, `insert into revisions (id, data, collection, at, user_id, reason, request, catalog, catalog_of, note, widens, changes)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		h.revision, h.data, h.collection, w.now, null(w.who.User), w.who.Reason, w.who.Request, w.catalog != 0, null(w.catalog), w.note, effect.Widens(), string(changes))
	if err != nil {
		return nil, err
	}
	if err := w.audit("permissions", h.revision, effect, changes); err != nil {
		return nil, err
	}
	return &snapshot{w.graph.Settled(), h.revision, digest}, w.s.trim(w.ctx, w.conn, w.now)
}

// audit writes an audit event that is committed with the write.
func (w *writer) audit(kind string, revision int64, e permission.Effect, details json.RawMessage) error {
	return recordEvent(w.ctx, w.conn, AuditEvent{At: w.now, Kind: kind, Actor: w.who, Revision: revision,
		Widens: e.Widens(), Gained: len(e.Gain), Lost: len(e.Lose), Gain: e.Gain, Lose: e.Lose, Details: details})
}

// raises tells which counters a change raises by itself.
func raises(change permission.Change) (data, collection bool) {
	switch c := change.(type) {
	case permission.SetDataAccess, permission.SetSandbox, permission.SetTableMark, permission.SetStrict:
		return true, false
	case permission.SetGroup:
		return c.From == nil || c.To == nil, false
	case permission.SetCollectionAccess:
		return false, true
	case permission.SetUser, permission.SetMembership, permission.SetCollection:
	}
	return false, false
}

// newerThan tells whether a change writes something of a later revision than h.
func newerThan(change permission.Change, h point) bool {
	switch c := change.(type) {
	case permission.SetDataAccess:
		return c.To.At > h.data
	case permission.SetSandbox:
		return c.To != nil && c.To.At > h.data
	case permission.SetCollectionAccess:
		return int64(c.To.At) > h.collection
	case permission.SetGroup:
		return c.To != nil && c.To.Since > h.data
	case permission.SetUser, permission.SetMembership, permission.SetTableMark, permission.SetStrict, permission.SetCollection:
	}
	return false
}

// keepAdministrator refuses a write that may have taken away the last active
// person who administers. It asks the rows that were just written.
func (w *writer) keepAdministrator() error {
	if !slices.ContainsFunc(w.changes, func(change permission.Change) bool {
		switch c := change.(type) {
		case permission.SetMembership:
			return c.Group == permission.Administrators && !c.To
		case permission.SetUser:
			return c.From != nil && c.From.Active && (c.To == nil || !c.To.Active) && w.before.IsMember(c.From.ID, permission.Administrators)
		default:
			return false // nothing else touches who is in the group or active
		}
	}) {
		return nil
	}
	left, err := one(w.ctx, w.conn, value[int64], `select count(*) from memberships m join users u on u.id = m.user_id
		where m.group_id = $1 and u.active and u.type = $2`, permission.Administrators, Personal)
	if err == nil && left == 0 {
		err = invalid("", lastAdmin)
	}
	return err
}

// newIDs hands out n ids of a kind, and returns the first.
func (w *writer) newIDs(kind string, n int) (int64, error) {
	last, err := one(w.ctx, w.conn, value[int64], "update ids set last = last + $1 where kind = $2 returning last", n, kind)
	return last - int64(n) + 1, err
}

// claim notes an id that a change came with, so that it is never handed out.
func (w *writer) claim(kind string, id int64) error {
	_, err := w.exec(w.ctx, "update ids set last = $1 where kind = $2 and last < $1", id, kind)
	return err
}
