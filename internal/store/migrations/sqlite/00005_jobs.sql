-- +goose Up
-- Work that goes on behind the requests; see job.go. At most one job of a kind
-- is open for a database.
CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    database_id INTEGER NOT NULL,
    state       TEXT NOT NULL,
    runner      TEXT NOT NULL,
    beat        INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    step        TEXT NOT NULL,
    done        INTEGER NOT NULL,
    cancel      BOOLEAN NOT NULL,
    result      TEXT,
    error       TEXT NOT NULL,
    user_id     INTEGER,
    reason      TEXT NOT NULL,
    request     TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    started_at  TEXT,
    ended_at    TEXT
);
CREATE UNIQUE INDEX jobs_open ON jobs (kind, database_id) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_database ON jobs (database_id, id);
