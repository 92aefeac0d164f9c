-- +goose Up
-- Whether SQL of people is held to what they may see inside of the database,
-- and what was found when that was last looked at. SQLite needs neither.
ALTER TABLE databases ADD COLUMN governs BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE databases ADD COLUMN governance TEXT;
