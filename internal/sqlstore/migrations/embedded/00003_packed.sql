-- +goose Up
-- Sessions are packed (internal/session/record.go), with record ''. Those that
-- a release before wrote have JSON in record, and no packed, until they end or
-- get a token.

ALTER TABLE sessions ADD COLUMN packed BLOB;
