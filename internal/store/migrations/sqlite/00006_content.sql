-- +goose Up
-- SQL that people share under a name; see snippet.go.
CREATE TABLE snippets (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    name_fold   TEXT NOT NULL UNIQUE,
    description TEXT,
    content     TEXT NOT NULL,
    archived    BOOLEAN NOT NULL,
    creator_id  INTEGER NOT NULL REFERENCES users (id),
    entity_id   TEXT NOT NULL UNIQUE,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);

-- What a card or a dashboard was after a write; see past.go. One of the two is
-- null.
CREATE TABLE pasts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    card_id      INTEGER REFERENCES cards (id) ON DELETE CASCADE,
    dashboard_id INTEGER REFERENCES dashboards (id) ON DELETE CASCADE,
    at           TEXT NOT NULL,
    user_id      INTEGER,
    creation     BOOLEAN NOT NULL,
    reversion    BOOLEAN NOT NULL,
    state        TEXT NOT NULL
);
CREATE INDEX pasts_card ON pasts (card_id, id);
CREATE INDEX pasts_dashboard ON pasts (dashboard_id, id);
