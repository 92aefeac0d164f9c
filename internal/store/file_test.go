package store_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// A path by mistake must not fill another program's file with our tables.
func TestTheFileOfAnotherProgramIsLeftAlone(t *testing.T) {
	c := storetest.SQLite(t)
	db, err := sql.Open("sqlite", c.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("create table theirs (id integer)"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("opening somebody else's file: %v", err)
	}
	var tables int
	if err := db.QueryRow("select count(*) from sqlite_schema").Scan(&tables); err != nil || tables != 1 {
		t.Errorf("their file holds %d tables now (%v), want 1", tables, err)
	}
}
