-- +goose Up
-- A policy says more than its row conditions.
UPDATE sandboxes SET policy = '{"where":' || policy || '}';

