-- +goose Up
-- The digest of the permission state at a revision, which tells at the start
-- whether a row of it is missing or was altered. It is of no revision until a
-- server has computed it.
ALTER TABLE head ADD COLUMN digest INTEGER NOT NULL DEFAULT 0;
ALTER TABLE head ADD COLUMN digested INTEGER NOT NULL DEFAULT 0;
