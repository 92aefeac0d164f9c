-- +goose Up
-- Whether the rows of a run were kept from an earlier one.
ALTER TABLE query_runs ADD COLUMN cached BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX query_runs_card ON query_runs (card_id, id) WHERE card_id IS NOT NULL;
CREATE INDEX query_runs_user ON query_runs (user_id, id);

-- What is shown in place of a field's values: another field, or words.
CREATE TABLE dimensions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    field_id   INTEGER NOT NULL UNIQUE REFERENCES fields (id) ON DELETE CASCADE,
    type       TEXT NOT NULL,
    name       TEXT NOT NULL,
    target_id  INTEGER REFERENCES fields (id) ON DELETE CASCADE,
    entity_id  TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX dimensions_target ON dimensions (target_id);

-- Words for values of a field, as JSON: a list of pairs.
CREATE TABLE field_labels (
    field_id   INTEGER PRIMARY KEY REFERENCES fields (id) ON DELETE CASCADE,
    labels     TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
