-- +goose Up
-- Times are microseconds since 1970 in UTC, 0 for none. STRICT makes SQLite
-- check the types, as PostgreSQL does by itself.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE accounts (
    id                  TEXT NOT NULL PRIMARY KEY,
    name                TEXT NOT NULL UNIQUE,
    email               TEXT NOT NULL,
    display_name        TEXT NOT NULL,
    group_names         TEXT NOT NULL, -- JSON array
    password_hash       TEXT NOT NULL,
    password_changed    INTEGER NOT NULL,
    provider            TEXT NOT NULL,
    disabled            INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    generation          INTEGER NOT NULL,
    sessions_valid_from INTEGER NOT NULL,
    created             INTEGER NOT NULL,
    last_sign_in        INTEGER NOT NULL,
    last_method         TEXT NOT NULL,
    enrol_by_link       INTEGER NOT NULL
) STRICT;

-- Names and e-mail addresses, all in one place so that nobody's name is
-- another's address. A row outlives its account (no foreign key): what once
-- named one person never names another.
CREATE TABLE identifiers (
    identifier TEXT NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL
) STRICT;

CREATE TABLE factors (
    id        TEXT NOT NULL PRIMARY KEY,
    account   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind      TEXT NOT NULL,
    label     TEXT NOT NULL,
    created   INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    sealed    BLOB NOT NULL,
    last_step INTEGER NOT NULL,
    salt      BLOB NOT NULL,
    pepper    INTEGER NOT NULL,
    failures  INTEGER NOT NULL,
    locked    INTEGER NOT NULL CHECK (locked IN (0, 1))
) STRICT;
CREATE INDEX factors_account ON factors (account);

CREATE TABLE backup_codes (
    set_id TEXT NOT NULL REFERENCES factors (id) ON DELETE CASCADE,
    hash   BLOB NOT NULL,
    used   INTEGER NOT NULL,
    PRIMARY KEY (set_id, hash)
) STRICT;

CREATE TABLE links (
    hash    BLOB NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT;
CREATE INDEX links_account ON links (account);

-- Work left after a commit. No foreign key: deleting an account leaves work too.
CREATE TABLE revocations (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    account  TEXT NOT NULL,
    sessions INTEGER NOT NULL CHECK (sessions IN (0, 1))
) STRICT;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    name    TEXT NOT NULL,
    account TEXT NOT NULL,
    subject TEXT NOT NULL,
    actor   TEXT NOT NULL,
    session TEXT NOT NULL,
    host    TEXT NOT NULL,
    network TEXT NOT NULL,
    browser TEXT NOT NULL,
    request TEXT NOT NULL,
    method  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    times   INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_account ON audit (account, at);
CREATE INDEX audit_request ON audit (request);
