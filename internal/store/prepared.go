package store

import (
	"context"
	"database/sql"
	"sync"
)

// prepared is a pool of SQLite connections on which statements are kept
// prepared, by their text: reading one anew takes as long as running it. (The
// driver of PostgreSQL does so by itself.)
type prepared struct {
	db     *sql.DB
	mu     sync.Mutex
	byText map[string]*sql.Stmt
}

// keptTexts is how many statements are kept; texts with lists of arguments
// come in any number.
const keptTexts = 256

func newPrepared(db *sql.DB) *prepared { return &prepared{db: db, byText: map[string]*sql.Stmt{}} }

// statement is the kept one, or nil when there are enough.
func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	st, enough := p.byText[query], len(p.byText) >= keptTexts
	p.mu.Unlock()
	if st != nil || enough {
		return st, nil
	}
	st, err := p.db.PrepareContext(ctx, query) // it may wait for a connection
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.byText[query]; other != nil {
		return other, st.Close()
	}
	p.byText[query] = st
	return st, nil
}

// QueryContext is that of [sql.DB].
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := p.statement(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return p.db.QueryContext(ctx, query, args...)
	}
	return st.QueryContext(ctx, args...)
}

// ExecContext is that of [sql.DB].
func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, err := p.statement(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return p.db.ExecContext(ctx, query, args...)
	}
	return st.ExecContext(ctx, args...)
}
