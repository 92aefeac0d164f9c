package warehouse

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite", for writing the sample
)

// sampleSchema is the shop of the sample: one catalogue of products, sold to
// several organisations whose data lie in the same tables. Everything that
// belongs to an organisation has its organization_id.
const sampleSchema = `
CREATE TABLE organizations (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	industry TEXT NOT NULL,
	country TEXT NOT NULL,
	plan TEXT NOT NULL,
	created_at DATETIME NOT NULL
);
CREATE TABLE products (
	id INTEGER PRIMARY KEY,
	title TEXT NOT NULL,
	category TEXT NOT NULL,
	vendor TEXT NOT NULL,
	price REAL NOT NULL,
	rating REAL,
	created_at DATETIME NOT NULL
);
CREATE TABLE people (
	id INTEGER PRIMARY KEY,
	organization_id INTEGER NOT NULL REFERENCES organizations (id),
	name TEXT NOT NULL,
	email TEXT NOT NULL,
	city TEXT NOT NULL,
	country TEXT NOT NULL,
	source TEXT NOT NULL,
	birth_date DATE,
	active BOOLEAN NOT NULL,
	created_at DATETIME NOT NULL
);
CREATE TABLE orders (
	id INTEGER PRIMARY KEY,
	organization_id INTEGER NOT NULL REFERENCES organizations (id),
	person_id INTEGER NOT NULL REFERENCES people (id),
	product_id INTEGER NOT NULL REFERENCES products (id),
	quantity INTEGER NOT NULL,
	subtotal REAL NOT NULL,
	discount REAL,
	tax REAL NOT NULL,
	total REAL NOT NULL,
	status TEXT NOT NULL,
	created_at DATETIME NOT NULL
);
CREATE TABLE reviews (
	id INTEGER PRIMARY KEY,
	organization_id INTEGER NOT NULL REFERENCES organizations (id),
	order_id INTEGER NOT NULL REFERENCES orders (id),
	person_id INTEGER NOT NULL REFERENCES people (id),
	product_id INTEGER NOT NULL REFERENCES products (id),
	rating INTEGER NOT NULL,
	body TEXT NOT NULL,
	created_at DATETIME NOT NULL
);
CREATE TABLE invoices (
	id INTEGER PRIMARY KEY,
	organization_id INTEGER NOT NULL REFERENCES organizations (id),
	number TEXT NOT NULL,
	order_count INTEGER NOT NULL,
	amount REAL NOT NULL,
	status TEXT NOT NULL,
	issued_on DATE NOT NULL,
	due_on DATE NOT NULL,
	paid_on DATE
);`

const sampleIndexes = `
CREATE UNIQUE INDEX people_email ON people (email);
CREATE INDEX people_organization ON people (organization_id);
CREATE INDEX orders_organization ON orders (organization_id, created_at);
CREATE INDEX orders_person ON orders (person_id);
CREATE INDEX orders_product ON orders (product_id);
CREATE INDEX orders_created ON orders (created_at);
CREATE INDEX reviews_organization ON reviews (organization_id);
CREATE INDEX reviews_product ON reviews (product_id);
CREATE UNIQUE INDEX invoices_number ON invoices (number);
CREATE INDEX invoices_organization ON invoices (organization_id, issued_on);`

// WriteSample writes the sample warehouse to a file, in place of one that is
// there. It is made anew beside it and renamed when it is whole. Two calls
// give the same bytes, whenever and wherever they are made.
func WriteSample(path string) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("sample warehouse: %w", err)
	}
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sample warehouse: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
			err = fmt.Errorf("sample warehouse: %w", err)
		}
	}()
	name := url.URL{Scheme: "file", OmitHost: true, Path: temp, RawQuery: "_journal_mode=OFF&_synchronous=OFF"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if err := fillSample(db); err != nil {
		_ = db.Close()
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

func fillSample(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec(sampleSchema); err != nil {
		return err
	}
	s := &shop{dice: 0x51_1CE_0001, titles: map[string]bool{}, emails: map[string]int{}}
	s.make()
	for _, t := range []struct {
		name string
		rows [][]any
	}{
		{"organizations", s.organizations}, {"products", s.products}, {"people", s.people},
		{"orders", s.orders}, {"reviews", s.reviews}, {"invoices", s.invoices},
	} {
		marks := strings.TrimSuffix(strings.Repeat("?,", len(t.rows[0])), ",")
		if err := insertAll(tx, "INSERT INTO "+t.name+" VALUES ("+marks+")", t.rows); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if _, err := tx.Exec(sampleIndexes); err != nil {
		return err
	}
	return tx.Commit()
}

func insertAll(tx *sql.Tx, insert string, rows [][]any) error {
	s, err := tx.Prepare(insert)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, row := range rows {
		if _, err := s.Exec(row...); err != nil {
			return err
		}
	}
	return nil
}
