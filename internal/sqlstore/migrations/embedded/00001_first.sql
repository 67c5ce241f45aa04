-- +goose Up
-- Times are microseconds since 1970 in UTC. Records are JSON, decoded
-- strictly; the columns beside them are what look-ups and expiry need.

CREATE TABLE flows (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    browser TEXT NOT NULL,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    record  TEXT NOT NULL
) STRICT;
CREATE INDEX flows_browser ON flows (browser, created);
CREATE INDEX flows_expires ON flows (expires);

CREATE TABLE sessions (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    record  TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_account ON sessions (account, created);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE activity (
    session TEXT NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX activity_expires ON activity (expires);

CREATE TABLE tries (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    key     TEXT NOT NULL,
    at      INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX tries_key ON tries (key, at);
CREATE INDEX tries_expires ON tries (expires);

-- Keys whose limit doubles its waits, once a window was filled.
CREATE TABLE waits (
    key     TEXT NOT NULL PRIMARY KEY,
    until   INTEGER NOT NULL,
    fills   INTEGER NOT NULL, -- windows filled since the last success
    filler  INTEGER NOT NULL, -- the try that filled the last one
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX waits_expires ON waits (expires);

CREATE TABLE tickets (
    hash    BLOB NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL,
    record  TEXT NOT NULL
) STRICT;
CREATE INDEX tickets_expires ON tickets (expires);

CREATE TABLE nodes (
    id      TEXT NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL,
    record  TEXT NOT NULL
) STRICT;
