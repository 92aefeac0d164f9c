package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Revision is one recorded change of the permission state.
type Revision struct {
	ID         int64            // counts every recorded change
	Data       catalog.Revision // the data graph's revision after it
	Collection int64            // the collection graph's revision after it
	At         time.Time
	Actor      Actor
	Catalog    bool   // the catalog changed with it
	Note       string // what happened to the catalog; Changes say the rest
	Widens     bool   // somebody gained access
	Changes    []permission.Change
}

const revisionColumns = "id, data, collection, at, coalesce(user_id, 0), reason, request, catalog, note, widens, changes"

func scanRevision(row scanner) (r Revision, err error) {
	var changes string
	err = row.Scan(&r.ID, &r.Data, &r.Collection, moment{&r.At}, &r.Actor.User, &r.Actor.Reason, &r.Actor.Request, &r.Catalog, &r.Note, &r.Widens, &changes)
	if err == nil {
		r.Changes, err = permission.DecodeChanges([]byte(changes))
	}
	return r, err
}

// Revisions lists the history newest first, from before the revision with the
// id (0: from the newest), at most limit of them (0: 100).
func (s *Store) Revisions(ctx context.Context, before int64, limit int) ([]Revision, error) {
	var w where
	if before > 0 {
		w.and("id < ?", before)
	}
	return list(ctx, s.reader(), scanRevision, "select "+revisionColumns+" from revisions"+w.String()+
		fmt.Sprintf(" order by id desc limit %d", orHundred(limit)), w.args...)
}

func orHundred(limit int) int {
	if limit <= 0 {
		return 100
	}
	return limit
}

// GraphAt is the graph as it was when the data revision was left behind: the
// present one with the later changes undone. Its Catalog is the present one;
// ask a table's At. ErrStale when the revision is in the future or older than
// the history.
func (s *Store) GraphAt(ctx context.Context, data catalog.Revision) (*permission.Graph, error) {
	return s.graphAt(ctx, "data", int64(data), func(g *permission.Graph) int64 { return int64(g.Revision()) })
}

// GraphAtCollection is GraphAt for a revision of the collection graph.
func (s *Store) GraphAtCollection(ctx context.Context, revision int64) (*permission.Graph, error) {
	return s.graphAt(ctx, "collection", revision, (*permission.Graph).CollectionRevision)
}

// graphAt undoes what took the counter beyond the wanted revision.
func (s *Store) graphAt(ctx context.Context, counter string, want int64, of func(*permission.Graph) int64) (*permission.Graph, error) {
	if want > of(s.Graph()) { // another node may have written
		if err := s.Refresh(ctx); err != nil {
			return nil, err
		}
	}
	snap := s.snap.Load()
	switch is := of(snap.graph); {
	case want == is:
		return snap.graph, nil
	case want > is:
		return nil, fmt.Errorf("%w: %d is in the future, the present one is %d", ErrStale, want, is)
	}
	var g *permission.Graph
	err := s.view(ctx, func(c conn) error {
		h, err := one(ctx, c, scanPoint, "select id, data, collection from revisions where id <= $1 and "+counter+" <= $2 order by id desc limit 1", snap.revision, want)
		if err != nil {
			return otherwise(err, fmt.Errorf("%w: %d is older than the history that is kept", ErrStale, want))
		}
		undone, err := list(ctx, c, scanRevision, "select "+revisionColumns+" from revisions where id <= $1 and id > $2 order by id desc", snap.revision, h.revision)
		if err != nil {
			return err
		}
		var inverses []permission.Change
		for _, r := range undone {
			for _, change := range slices.Backward(r.Changes) {
				inverses = append(inverses, change.Inverse())
			}
		}
		if g, err = snap.graph.Apply(inverses...); err != nil {
			return fmt.Errorf("store: the history does not lead back to %s revision %d: %w", counter, want, err)
		}
		g = g.WithRevisions(h.data, h.collection)
		return nil
	})
	return g, err
}

// Refresh brings the graph up to date with what other nodes wrote to the same
// database. It costs one statement when there is nothing new.
func (s *Store) Refresh(ctx context.Context) error {
	if h, err := readHead(ctx, s.reader()); err != nil || h.revision <= s.snap.Load().revision {
		return err
	}
	return s.advance(ctx, s.read)
}

// advance brings the graph to the head of the history, by a handle.
func (s *Store) advance(ctx context.Context, db *sql.DB) error {
	select { // many may ask at once; one reads
	case s.refreshing <- struct{}{}:
		defer func() { <-s.refreshing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.within(ctx, db, still(), func(c conn) error {
		h, err := readHead(ctx, c)
		if err != nil {
			return err
		}
		snap := s.snap.Load()
		if h.revision <= snap.revision {
			return nil
		}
		if snap, err = catchUp(ctx, c, snap, h); err != nil {
			return err
		}
		s.mayNarrow(snap.revision)
		s.publish(snap)
		return nil
	})
}

// reload makes the stored state the current one although it is an earlier one:
// that of a database that was put back, or of one that stood in for another
// and had not got everything.
func (s *Store) reload(ctx context.Context) error {
	return s.view(ctx, func(c conn) error {
		snap, err := load(ctx, c)
		if err != nil {
			return err
		}
		s.publishing.Lock()
		defer s.publishing.Unlock()
		s.narrowed.Store(snap.revision)
		s.replace(snap)
		return nil
	})
}

// catchUp brings a state forward to the head by the recorded changes, or
// loads it anew where the history does not reach. It must run where the
// database stands still.
func catchUp(ctx context.Context, c conn, snap *snapshot, h head) (*snapshot, error) {
	missed, err := list(ctx, c, scanRevision, "select "+revisionColumns+" from revisions where id > $1 order by id", snap.revision)
	if err != nil {
		return nil, err
	}
	if int64(len(missed)) != h.revision-snap.revision {
		return load(ctx, c)
	}
	g, digest := snap.graph, snap.digest
	if slices.ContainsFunc(missed, func(r Revision) bool { return r.Catalog }) {
		cat, err := catchUpCatalog(ctx, c, g.Catalog(), snap.revision)
		if err != nil {
			return nil, err
		}
		g = g.WithCatalog(cat)
	}
	for _, r := range missed {
		if g, err = g.Apply(r.Changes...); err != nil {
			c.s.log.ErrorContext(ctx, "a recorded revision does not follow from the state in memory; loading anew", "revision", r.ID, "error", err)
			return load(ctx, c)
		}
		digest = digest.After(r.Changes...)
	}
	if h.belies(digest) {
		c.s.log.ErrorContext(ctx, "the recorded revisions do not lead to the state that was recorded; loading anew", "revision", h.revision)
		return load(ctx, c)
	}
	return &snapshot{g.WithRevisions(h.data, h.collection).Settled(), h.revision, digest}, nil
}

// catchUpCatalog reads anew what of a catalog has changed since the revision.
func catchUpCatalog(ctx context.Context, c conn, cat *catalog.Snapshot, since int64) (*catalog.Snapshot, error) {
	const unknown = 0
	changed, err := list(ctx, c, value[catalog.DatabaseID], "select distinct coalesce(catalog_of, 0) from revisions where id > $1 and catalog", since)
	if err != nil {
		return nil, err
	}
	if slices.Contains(changed, unknown) {
		return loadCatalog(ctx, c)
	}
	for _, d := range changed {
		if cat, err = readCatalog(ctx, c, cat, d); err != nil {
			return nil, err
		}
	}
	return cat, nil
}

// trim removes revisions that are older than the history is kept, at most once
// an hour. The newest of the old ones stays: it is the state from which the
// history begins.
func (s *Store) trim(ctx context.Context, c conn, now time.Time) error {
	if now.Sub(s.trimmed) < time.Hour {
		return nil
	}
	s.trimmed = now
	_, err := c.exec(ctx, "delete from revisions where at < $1 and id < (select max(id) from revisions where at < $1)", now.Add(-s.history))
	return err
}
