-- +goose Up
-- Of an impersonated view: the attribute of people that names the database role
-- that they are seen as. Empty for all else.
ALTER TABLE data_grants ADD COLUMN attribute TEXT NOT NULL DEFAULT '';
