-- +goose Up
-- Telephone numbers as second factors. New columns have defaults, so that a
-- node of the release before can go on writing.

ALTER TABLE factors ADD COLUMN lookup BLOB NOT NULL DEFAULT x'';
ALTER TABLE factors ADD COLUMN lookup_key INTEGER NOT NULL DEFAULT 0;
ALTER TABLE factors ADD COLUMN call_only INTEGER NOT NULL DEFAULT 0 CHECK (call_only IN (0, 1));
CREATE INDEX factors_lookup ON factors (lookup) WHERE kind = 'phone';
CREATE UNIQUE INDEX factors_phone ON factors (account) WHERE kind = 'phone';

ALTER TABLE audit ADD COLUMN country TEXT NOT NULL DEFAULT '';
