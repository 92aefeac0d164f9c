-- +goose Up
-- A policy can name a saved question in place of the table. What it says is in
-- its JSON, of which an earlier Sluice would read the conditions alone; from
-- here on it does not start.
SELECT 1;
