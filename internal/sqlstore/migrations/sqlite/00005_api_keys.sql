-- +goose Up
-- API keys. A node of the release before knows none and leaves them alone.

CREATE TABLE api_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    hosts      TEXT NOT NULL,
    paths      TEXT NOT NULL,
    methods    TEXT NOT NULL,
    created    INTEGER NOT NULL,
    issued     INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    last_used  INTEGER NOT NULL,
    hash       BLOB NOT NULL,
    pepper     INTEGER NOT NULL,
    -- The secret before, until its grace time is over.
    old_hash   BLOB NOT NULL,
    old_pepper INTEGER NOT NULL,
    old_until  INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_account ON api_keys (account);
