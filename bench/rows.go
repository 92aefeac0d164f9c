package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// rowsWritten is how many rows a change writes: inserted, updated or deleted.
// It is counted by triggers, in a pass of its own, since they cost time.
func (b *bench) rowsWritten(path string, o operation, n int) (int64, error) {
	if err := o.prepare(n); err != nil {
		return 0, err
	}
	counts, err := countRows(b.ctx, path, func() error { return o.do(n) })
	if err != nil {
		return 0, err
	}
	var all int64
	for _, c := range counts {
		all += c
	}
	return all, o.undo(n)
}

// countRows counts the rows that f writes to a store's file, by table.
func countRows(ctx context.Context, path string, f func() error) (counts map[string]int64, err error) {
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tables, err := column[string](ctx, db, "select name from sqlite_schema where type = 'table' and name not like 'sqlite%' and name not like 'bench%'")
	if err != nil {
		return nil, err
	}
	statements := []string{"create table bench_rows (name text primary key, n integer not null) without rowid"}
	var after []string
	for _, t := range tables {
		statements = append(statements, fmt.Sprintf("insert into bench_rows values ('%s', 0)", t))
		for _, event := range []string{"insert", "update", "delete"} {
			name := fmt.Sprintf("bench_%s_%s", event, t)
			statements = append(statements, fmt.Sprintf("create trigger %s after %s on %s begin update bench_rows set n = n + 1 where name = '%s'; end", name, event, t, t))
			after = append(after, "drop trigger "+name)
		}
	}
	after = append(after, "drop table bench_rows")
	if err := execute(ctx, db, statements); err != nil {
		return nil, err
	}
	if err := f(); err != nil {
		return nil, err
	}
	counts = map[string]int64{}
	for _, t := range tables {
		n, err := column[int64](ctx, db, "select n from bench_rows where name = ?", t)
		if err != nil {
			return nil, err
		}
		counts[t] = n[0]
	}
	return counts, execute(ctx, db, after)
}

func execute(ctx context.Context, db *sql.DB, statements []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return tx.Commit()
}

// column is the one column of a query.
func column[T any](ctx context.Context, db *sql.DB, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
