-- +goose Up
-- Signing in at identity providers (SAML). Nothing that is there changes, so
-- that a node of the release before can go on.

-- Who an account's owner is at a provider. Both texts are compared byte for
-- byte. One provider knows an account under one name.
CREATE TABLE identities (
    entity  TEXT NOT NULL,
    name_id TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    PRIMARY KEY (entity, name_id),
    UNIQUE (account, entity)
) STRICT;

-- Assertions and logout requests that were used, until they are void anyway.
CREATE TABLE spent_assertions (
    hash    BLOB NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX spent_assertions_expires ON spent_assertions (expires);

-- The last good metadata of each provider, by its name in the configuration.
CREATE TABLE provider_metadata (
    provider TEXT NOT NULL PRIMARY KEY,
    source   TEXT NOT NULL,
    document BLOB NOT NULL,
    fetched  INTEGER NOT NULL
) STRICT;
