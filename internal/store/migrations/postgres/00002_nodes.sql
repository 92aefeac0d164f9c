-- +goose Up
-- The servers that share this database; see node.go. A server that keeps its
-- application database in a file of its own leaves it empty.
CREATE TABLE nodes (
    id      TEXT COLLATE "C" PRIMARY KEY,
    process TEXT COLLATE "C" NOT NULL,
    beat    BIGINT NOT NULL,
    acked   BIGINT NOT NULL,
    started TEXT COLLATE "C" NOT NULL
);

-- The database whose catalog a revision changed, for the other servers to read
-- anew; null where none is, or where an earlier version has not noted it.
ALTER TABLE revisions ADD COLUMN catalog_of BIGINT;
