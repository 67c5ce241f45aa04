-- +goose Up
-- Signing in at identity providers (SAML). Nothing that is there changes, so
-- that a node of the release before can go on.

-- Who an account's owner is at a provider. Both texts are compared byte for
-- byte. One provider knows an account under one name.
CREATE TABLE identities (
    entity  TEXT COLLATE "C" NOT NULL,
    name_id TEXT COLLATE "C" NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created BIGINT NOT NULL,
    PRIMARY KEY (entity, name_id),
    UNIQUE (account, entity)
);

-- Assertions and logout requests that were used, until they are void anyway.
CREATE TABLE spent_assertions (
    hash    BYTEA NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL
);
CREATE INDEX spent_assertions_expires ON spent_assertions (expires);

-- The last good metadata of each provider, by its name in the configuration.
CREATE TABLE provider_metadata (
    provider TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    source   TEXT NOT NULL,
    document BYTEA NOT NULL,
    fetched  BIGINT NOT NULL
);
