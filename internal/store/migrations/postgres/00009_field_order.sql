-- +goose Up
-- What the fields of a table are ordered by; see fieldorder.go. position is
-- where a field stands by that, custom_position where somebody has put it.
ALTER TABLE tables ADD COLUMN field_order TEXT COLLATE "C" NOT NULL DEFAULT 'database';
ALTER TABLE fields ADD COLUMN database_position BIGINT NOT NULL DEFAULT 0;
ALTER TABLE fields ADD COLUMN custom_position BIGINT NOT NULL DEFAULT 0;
UPDATE fields SET database_position = position;
