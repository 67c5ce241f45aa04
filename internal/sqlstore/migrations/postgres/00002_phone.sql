-- +goose Up
-- Telephone numbers as second factors. New columns have defaults, so that a
-- node of the release before can go on writing.

ALTER TABLE factors ADD COLUMN lookup BYTEA NOT NULL DEFAULT '';
ALTER TABLE factors ADD COLUMN lookup_key BIGINT NOT NULL DEFAULT 0;
ALTER TABLE factors ADD COLUMN call_only BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX factors_lookup ON factors (lookup) WHERE kind = 'phone';
CREATE UNIQUE INDEX factors_phone ON factors (account) WHERE kind = 'phone';

ALTER TABLE audit ADD COLUMN country TEXT NOT NULL DEFAULT '';
