-- +goose Up
-- Times are microseconds since 1970 in UTC, 0 for none, as in SQLite: one
-- codec reads and writes both.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE accounts (
    id                  TEXT NOT NULL PRIMARY KEY,
    name                TEXT COLLATE "C" NOT NULL UNIQUE,
    email               TEXT NOT NULL,
    display_name        TEXT NOT NULL,
    group_names         TEXT NOT NULL, -- JSON array
    password_hash       TEXT NOT NULL,
    password_changed    BIGINT NOT NULL,
    provider            TEXT NOT NULL,
    disabled            BOOLEAN NOT NULL,
    generation          BIGINT NOT NULL,
    sessions_valid_from BIGINT NOT NULL,
    created             BIGINT NOT NULL,
    last_sign_in        BIGINT NOT NULL,
    last_method         TEXT NOT NULL,
    enrol_by_link       BOOLEAN NOT NULL
);

-- Names and e-mail addresses, all in one place so that nobody's name is
-- another's address. A row outlives its account (no foreign key): what once
-- named one person never names another.
CREATE TABLE identifiers (
    identifier TEXT NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL
);

CREATE TABLE factors (
    id        TEXT NOT NULL PRIMARY KEY,
    account   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind      TEXT NOT NULL,
    label     TEXT NOT NULL,
    created   BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    sealed    BYTEA NOT NULL,
    last_step BIGINT NOT NULL,
    salt      BYTEA NOT NULL,
    pepper    BIGINT NOT NULL,
    failures  BIGINT NOT NULL,
    locked    BOOLEAN NOT NULL
);
CREATE INDEX factors_account ON factors (account);

CREATE TABLE backup_codes (
    set_id TEXT NOT NULL REFERENCES factors (id) ON DELETE CASCADE,
    hash   BYTEA NOT NULL,
    used   BIGINT NOT NULL,
    PRIMARY KEY (set_id, hash)
);

CREATE TABLE links (
    hash    BYTEA NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    used    BIGINT NOT NULL
);
CREATE INDEX links_account ON links (account);

-- Work left after a commit. No foreign key: deleting an account leaves work too.
CREATE TABLE revocations (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account  TEXT NOT NULL,
    sessions BOOLEAN NOT NULL
);

CREATE TABLE audit (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT NOT NULL,
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
    times   BIGINT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_account ON audit (account, at);
CREATE INDEX audit_request ON audit (request);
