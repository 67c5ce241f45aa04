-- +goose Up
-- Records that are taken once, by the hash of what their owner shows. They are
-- bytes that the one who stores them understands.

CREATE TABLE once (
    key     BLOB NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL,
    record  BLOB NOT NULL
) STRICT;
CREATE INDEX once_expires ON once (expires);
