-- +goose Up
-- API keys. A node of the release before knows none and leaves them alone.

CREATE TABLE api_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    hosts      TEXT NOT NULL,
    paths      TEXT NOT NULL,
    methods    TEXT NOT NULL,
    created    BIGINT NOT NULL,
    issued     BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    last_used  BIGINT NOT NULL,
    hash       BYTEA NOT NULL,
    pepper     BIGINT NOT NULL,
    -- The secret before, until its grace time is over.
    old_hash   BYTEA NOT NULL,
    old_pepper BIGINT NOT NULL,
    old_until  BIGINT NOT NULL
);
CREATE INDEX api_keys_account ON api_keys (account);
