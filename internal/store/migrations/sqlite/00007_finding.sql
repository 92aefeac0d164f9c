-- +goose Up
-- What people have opened, once each and when last; see view.go. Exactly one of
-- the columns that name something is not null.
CREATE TABLE views (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    context       TEXT NOT NULL,
    card_id       INTEGER REFERENCES cards (id) ON DELETE CASCADE,
    dashboard_id  INTEGER REFERENCES dashboards (id) ON DELETE CASCADE,
    collection_id INTEGER REFERENCES collections (id) ON DELETE CASCADE,
    table_id      INTEGER REFERENCES tables (id) ON DELETE CASCADE,
    at            TEXT NOT NULL,
    UNIQUE (user_id, context, card_id),
    UNIQUE (user_id, context, dashboard_id),
    UNIQUE (user_id, context, collection_id),
    UNIQUE (user_id, context, table_id)
);
CREATE INDEX views_card ON views (card_id);
CREATE INDEX views_dashboard ON views (dashboard_id);
CREATE INDEX views_collection ON views (collection_id);
CREATE INDEX views_table ON views (table_id);

-- What people have marked to find it again; see bookmark.go. position is null
-- until the person has put it somewhere.
CREATE TABLE bookmarks (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    card_id       INTEGER REFERENCES cards (id) ON DELETE CASCADE,
    dashboard_id  INTEGER REFERENCES dashboards (id) ON DELETE CASCADE,
    collection_id INTEGER REFERENCES collections (id) ON DELETE CASCADE,
    position      INTEGER,
    created_at    TEXT NOT NULL,
    UNIQUE (user_id, card_id),
    UNIQUE (user_id, dashboard_id),
    UNIQUE (user_id, collection_id)
);
CREATE INDEX bookmarks_card ON bookmarks (card_id);
CREATE INDEX bookmarks_dashboard ON bookmarks (dashboard_id);
CREATE INDEX bookmarks_collection ON bookmarks (collection_id);
