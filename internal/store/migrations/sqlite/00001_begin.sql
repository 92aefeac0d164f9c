-- The text of this file is the same for both engines but for the names of the
-- types. Times are RFC 3339 text in UTC with microseconds, so that they sort;
-- levels are words, so that rows can be read and no renumbering widens them.
-- Columns ending in _fold are folded in Go, never by the database.

-- +goose Up

-- What holds for the whole installation: one row.
CREATE TABLE installation (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    key_fingerprint TEXT NOT NULL,
    setup_digest    BLOB
);

-- The last ids given out, of what the graph and the catalog speak of. An id is
-- known before its row is written, and never used twice.
CREATE TABLE ids (
    kind TEXT PRIMARY KEY,
    last INTEGER NOT NULL
);
INSERT INTO ids (kind, last) VALUES ('group', 2), ('user', 0), ('collection', 0), ('database', 0), ('table', 0), ('field', 0);

-- The head of the history. Every write of permission state locks this row.
CREATE TABLE head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    revision   INTEGER NOT NULL,
    data       INTEGER NOT NULL,
    collection INTEGER NOT NULL
);
INSERT INTO head (id, revision, data, collection) VALUES (1, 1, 1, 1);

-- One small row for each change: what changed, from what, to what.
CREATE TABLE revisions (
    id         INTEGER PRIMARY KEY,
    data       INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    at         TEXT NOT NULL,
    user_id    INTEGER,
    reason     TEXT NOT NULL,
    request    TEXT NOT NULL,
    catalog    BOOLEAN NOT NULL,
    note       TEXT NOT NULL,
    widens     BOOLEAN NOT NULL,
    changes    TEXT NOT NULL
);
INSERT INTO revisions (id, data, collection, at, reason, request, catalog, note, widens, changes)
VALUES (1, 1, 1, '1970-01-01T00:00:00.000000Z', '', '', false, 'the beginning', false, '[]');
CREATE INDEX revisions_data ON revisions (data);
CREATE INDEX revisions_collection ON revisions (collection);
CREATE INDEX revisions_at ON revisions (at);

CREATE TABLE groups (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    name_fold  TEXT NOT NULL UNIQUE,
    internal   BOOLEAN NOT NULL,
    since      INTEGER NOT NULL,
    entity_id  TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
);
INSERT INTO groups (id, name, name_fold, internal, since, entity_id, created_at) VALUES
    (1, 'All Users', 'all users', false, 1, 'all-users------------', '1970-01-01T00:00:00.000000Z'),
    (2, 'Administrators', 'administrators', false, 1, 'administrators-------', '1970-01-01T00:00:00.000000Z');

CREATE TABLE users (
    id               INTEGER PRIMARY KEY,
    type             TEXT NOT NULL,
    email            TEXT NOT NULL,
    email_fold       TEXT NOT NULL UNIQUE,
    first_name       TEXT NOT NULL,
    first_fold       TEXT NOT NULL,
    last_name        TEXT NOT NULL,
    last_fold        TEXT NOT NULL,
    active           BOOLEAN NOT NULL,
    login_attributes TEXT,
    password_hash    TEXT,
    locale           TEXT,
    qbnewb           BOOLEAN NOT NULL,
    sso_source       TEXT,
    date_joined      TEXT NOT NULL,
    updated_at       TEXT NOT NULL,
    last_login       TEXT
);

CREATE TABLE sessions (
    digest     BLOB PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE api_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    name_fold  TEXT NOT NULL UNIQUE,
    digest     BLOB NOT NULL UNIQUE,
    mask       TEXT NOT NULL,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    group_id   INTEGER NOT NULL REFERENCES groups (id),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    updated_by INTEGER
);
CREATE INDEX api_keys_group ON api_keys (group_id);
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE memberships (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id  INTEGER NOT NULL REFERENCES users (id),
    group_id INTEGER NOT NULL REFERENCES groups (id),
    UNIQUE (user_id, group_id)
);
CREATE INDEX memberships_group ON memberships (group_id);

CREATE TABLE databases (
    id                 INTEGER PRIMARY KEY,
    name               TEXT NOT NULL,
    name_fold          TEXT NOT NULL,
    engine             TEXT NOT NULL,
    details            BLOB NOT NULL,
    sample             BOOLEAN NOT NULL,
    strict             BOOLEAN NOT NULL,
    description        TEXT,
    caveats            TEXT,
    points_of_interest TEXT,
    cache_ttl          INTEGER,
    timezone           TEXT,
    settings           TEXT,
    schedules          TEXT,
    full_sync          BOOLEAN NOT NULL,
    on_demand          BOOLEAN NOT NULL,
    auto_run_queries   BOOLEAN NOT NULL,
    refingerprint      BOOLEAN,
    sync_status        TEXT NOT NULL,
    creator_id         INTEGER,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);

CREATE TABLE tables (
    id                 INTEGER PRIMARY KEY,
    database_id        INTEGER NOT NULL REFERENCES databases (id),
    schema_name        TEXT NOT NULL,
    name               TEXT NOT NULL,
    display_name       TEXT NOT NULL,
    description        TEXT NOT NULL,
    entity_type        TEXT NOT NULL,
    since_revision     INTEGER NOT NULL,
    until_revision     INTEGER NOT NULL,
    visibility_type    TEXT,
    points_of_interest TEXT,
    caveats            TEXT,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);
CREATE UNIQUE INDEX tables_present ON tables (database_id, schema_name, name) WHERE until_revision = 0;
CREATE INDEX tables_database ON tables (database_id);

CREATE TABLE fields (
    id                 INTEGER PRIMARY KEY,
    table_id           INTEGER NOT NULL REFERENCES tables (id),
    name               TEXT NOT NULL,
    display_name       TEXT NOT NULL,
    description        TEXT NOT NULL,
    database_type      TEXT NOT NULL,
    base_type          TEXT NOT NULL,
    semantic_type      TEXT NOT NULL,
    target_id          INTEGER NOT NULL,
    position           INTEGER NOT NULL,
    active             BOOLEAN NOT NULL,
    visibility_type    TEXT NOT NULL,
    has_field_values   TEXT,
    points_of_interest TEXT,
    caveats            TEXT,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL,
    UNIQUE (table_id, name)
);

-- What is written in the data graph: one row for each cell. schema_name is
-- empty and table_id is 0 where the depth is another.
CREATE TABLE data_grants (
    group_id    INTEGER NOT NULL REFERENCES groups (id),
    database_id INTEGER NOT NULL REFERENCES databases (id),
    kind        TEXT NOT NULL,
    depth       TEXT NOT NULL,
    schema_name TEXT NOT NULL,
    table_id    INTEGER NOT NULL,
    level       TEXT NOT NULL,
    wide        BOOLEAN NOT NULL,
    revision    INTEGER NOT NULL,
    PRIMARY KEY (group_id, database_id, kind, depth, schema_name, table_id)
);
CREATE INDEX data_grants_database ON data_grants (database_id);

CREATE TABLE sandboxes (
    group_id INTEGER NOT NULL REFERENCES groups (id),
    table_id INTEGER NOT NULL REFERENCES tables (id),
    policy   TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (group_id, table_id)
);
CREATE INDEX sandboxes_table ON sandboxes (table_id);

CREATE TABLE table_marks (
    table_id INTEGER PRIMARY KEY REFERENCES tables (id),
    governed BOOLEAN NOT NULL,
    shared   BOOLEAN NOT NULL
);

-- parent_id is null at the top level. owner_id is the owner of the whole
-- personal tree that the collection is or lies in.
CREATE TABLE collections (
    id                INTEGER PRIMARY KEY,
    name              TEXT NOT NULL,
    name_fold         TEXT NOT NULL,
    slug              TEXT NOT NULL,
    description       TEXT,
    parent_id         INTEGER REFERENCES collections (id),
    location          TEXT NOT NULL,
    owner_id          INTEGER REFERENCES users (id),
    archived          BOOLEAN NOT NULL,
    archived_directly BOOLEAN NOT NULL,
    archived_with     TEXT,
    type              TEXT,
    namespace         TEXT,
    authority_level   TEXT,
    entity_id         TEXT NOT NULL UNIQUE,
    created_at        TEXT NOT NULL
);
CREATE UNIQUE INDEX collections_personal ON collections (owner_id) WHERE parent_id IS NULL;
CREATE INDEX collections_parent ON collections (parent_id);
CREATE INDEX collections_location ON collections (location);

-- collection_id is 0 for the root collection.
CREATE TABLE collection_grants (
    group_id      INTEGER NOT NULL REFERENCES groups (id),
    collection_id INTEGER NOT NULL,
    level         TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    PRIMARY KEY (group_id, collection_id)
);
CREATE INDEX collection_grants_collection ON collection_grants (collection_id);

CREATE TABLE dashboards (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    name                TEXT NOT NULL,
    name_fold           TEXT NOT NULL,
    description         TEXT,
    parameters          TEXT,
    width               TEXT NOT NULL,
    auto_apply_filters  BOOLEAN NOT NULL,
    collection_id       INTEGER REFERENCES collections (id),
    collection_position INTEGER,
    cache_ttl           INTEGER,
    archived            BOOLEAN NOT NULL,
    archived_directly   BOOLEAN NOT NULL,
    archived_with       TEXT,
    creator_id          INTEGER NOT NULL REFERENCES users (id),
    entity_id           TEXT NOT NULL UNIQUE,
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL
);
CREATE INDEX dashboards_collection ON dashboards (collection_id);

CREATE TABLE cards (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    name                   TEXT NOT NULL,
    name_fold              TEXT NOT NULL,
    description            TEXT,
    display                TEXT NOT NULL,
    dataset_query          TEXT,
    visualization_settings TEXT,
    parameters             TEXT,
    parameter_mappings     TEXT,
    result_metadata        TEXT,
    type                   TEXT NOT NULL,
    query_type             TEXT,
    database_id            INTEGER REFERENCES databases (id) ON DELETE SET NULL,
    table_id               INTEGER REFERENCES tables (id) ON DELETE SET NULL,
    collection_id          INTEGER REFERENCES collections (id),
    collection_position    INTEGER,
    cache_ttl              INTEGER,
    archived               BOOLEAN NOT NULL,
    archived_directly      BOOLEAN NOT NULL,
    archived_with          TEXT,
    creator_id             INTEGER NOT NULL REFERENCES users (id),
    entity_id              TEXT NOT NULL UNIQUE,
    created_at             TEXT NOT NULL,
    updated_at             TEXT NOT NULL,
    dashboard_id           INTEGER REFERENCES dashboards (id) ON DELETE CASCADE
);
CREATE INDEX cards_collection ON cards (collection_id);
CREATE INDEX cards_database ON cards (database_id);
CREATE INDEX cards_table ON cards (table_id);
CREATE INDEX cards_dashboard ON cards (dashboard_id);

CREATE TABLE dashboard_tabs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    dashboard_id INTEGER NOT NULL REFERENCES dashboards (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    position     INTEGER NOT NULL,
    entity_id    TEXT NOT NULL UNIQUE
);
CREATE INDEX dashboard_tabs_dashboard ON dashboard_tabs (dashboard_id);

CREATE TABLE dashcards (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    dashboard_id           INTEGER NOT NULL REFERENCES dashboards (id) ON DELETE CASCADE,
    card_id                INTEGER REFERENCES cards (id) ON DELETE CASCADE,
    tab_id                 INTEGER REFERENCES dashboard_tabs (id) ON DELETE CASCADE,
    place_row              INTEGER NOT NULL,
    place_col              INTEGER NOT NULL,
    size_x                 INTEGER NOT NULL,
    size_y                 INTEGER NOT NULL,
    visualization_settings TEXT,
    parameter_mappings     TEXT,
    inline_parameters      TEXT,
    entity_id              TEXT NOT NULL UNIQUE,
    created_at             TEXT NOT NULL,
    updated_at             TEXT NOT NULL
);
CREATE INDEX dashcards_dashboard ON dashcards (dashboard_id);
CREATE INDEX dashcards_card ON dashcards (card_id);
CREATE INDEX dashcards_tab ON dashcards (tab_id);

CREATE TABLE dashcard_series (
    dashcard_id INTEGER NOT NULL REFERENCES dashcards (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    card_id     INTEGER NOT NULL REFERENCES cards (id) ON DELETE CASCADE,
    PRIMARY KEY (dashcard_id, position)
);
CREATE INDEX dashcard_series_card ON dashcard_series (card_id);

CREATE TABLE settings (
    name       TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

-- What administrators did. It outlives the history of revisions.
CREATE TABLE audit_events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    user_id  INTEGER,
    reason   TEXT NOT NULL,
    request  TEXT NOT NULL,
    revision INTEGER NOT NULL,
    widens   BOOLEAN NOT NULL,
    gained   INTEGER NOT NULL,
    lost     INTEGER NOT NULL,
    people   TEXT NOT NULL,
    details  TEXT NOT NULL
);
CREATE INDEX audit_events_kind ON audit_events (kind, id);

-- Questions put to warehouses, answered or refused.
CREATE TABLE query_runs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           TEXT NOT NULL,
    user_id      INTEGER NOT NULL,
    database_id  INTEGER NOT NULL,
    card_id      INTEGER,
    dashboard_id INTEGER,
    native       BOOLEAN NOT NULL,
    context      TEXT NOT NULL,
    row_count    INTEGER NOT NULL,
    microseconds INTEGER NOT NULL,
    outcome      TEXT NOT NULL,
    reason       TEXT NOT NULL,
    request      TEXT NOT NULL
);
CREATE INDEX query_runs_at ON query_runs (at);
