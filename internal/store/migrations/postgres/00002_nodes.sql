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
