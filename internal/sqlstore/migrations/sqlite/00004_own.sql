-- +goose Up
-- What people do about their own account: locking it, remembered browsers,
-- e-mails that are on their way. New columns have defaults, so that a node of
-- the release before can go on writing.

ALTER TABLE accounts ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN language TEXT NOT NULL DEFAULT '';

-- What a link of an e-mail is about.
ALTER TABLE links ADD COLUMN about TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN method TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN browser TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN network TEXT NOT NULL DEFAULT '';
CREATE INDEX links_expires ON links (expires);

-- Browsers that are not asked for a second factor.
CREATE TABLE trusted_browsers (
    id        TEXT NOT NULL PRIMARY KEY,
    account   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash      BLOB NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    browser   TEXT NOT NULL,
    network   TEXT NOT NULL
) STRICT;
CREATE INDEX trusted_browsers_account ON trusted_browsers (account);
CREATE INDEX trusted_browsers_expires ON trusted_browsers (expires);

-- E-mails to owners until they are sent. due is when one is tried next; while
-- sending is 1 a node may be handing it over, or may have ended doing so.
CREATE TABLE mails (
    id        TEXT NOT NULL PRIMARY KEY,
    account   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    about     TEXT NOT NULL,
    at        INTEGER NOT NULL,
    browser   TEXT NOT NULL,
    network   TEXT NOT NULL,
    method    TEXT NOT NULL,
    sealed    BLOB NOT NULL,
    expires   INTEGER NOT NULL,
    due       INTEGER NOT NULL,
    tries     INTEGER NOT NULL,
    unsure    INTEGER NOT NULL,
    sending   INTEGER NOT NULL CHECK (sending IN (0, 1))
) STRICT;
CREATE INDEX mails_due ON mails (due);
CREATE INDEX mails_account ON mails (account);
