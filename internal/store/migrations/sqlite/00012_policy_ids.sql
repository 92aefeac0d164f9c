-- +goose Up
-- A policy has an id while it exists, which is never used again.
ALTER TABLE sandboxes ADD COLUMN id INTEGER NOT NULL DEFAULT 0;
UPDATE sandboxes SET id = (SELECT count(*) FROM sandboxes o
    WHERE o.group_id < sandboxes.group_id OR o.group_id = sandboxes.group_id AND o.table_id <= sandboxes.table_id);
CREATE UNIQUE INDEX sandboxes_id ON sandboxes (id);
INSERT INTO ids (kind, last) SELECT 'sandbox', count(*) FROM sandboxes;
