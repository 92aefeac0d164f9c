-- +goose Up
-- The administrator who asked a question as somebody else.
ALTER TABLE query_runs ADD COLUMN viewer_id INTEGER;
