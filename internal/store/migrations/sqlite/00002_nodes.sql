-- +goose Up
-- The servers that share this database; see node.go. A server that keeps its
-- application database in a file of its own leaves it empty.
CREATE TABLE nodes (
    id      TEXT PRIMARY KEY,
    process TEXT NOT NULL,
    beat    INTEGER NOT NULL,
    acked   INTEGER NOT NULL,
    started TEXT NOT NULL
);
