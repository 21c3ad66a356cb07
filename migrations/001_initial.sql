-- Users, their sessions, and the modules that are installed.
-- Every time is in unix seconds.

CREATE TABLE users (
    id         TEXT    NOT NULL PRIMARY KEY,
    email      TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    password   TEXT    NOT NULL, -- a password hash in PHC string format
    name       TEXT,
    created_at INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at INTEGER NOT NULL DEFAULT (unixepoch())
);

CREATE TABLE sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token      TEXT    NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE modules (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    version    TEXT    NOT NULL,
    enabled    BOOLEAN NOT NULL DEFAULT TRUE CHECK (enabled IN (FALSE, TRUE)),
    config     TEXT    CHECK (json_valid(config)),
    created_at INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at INTEGER NOT NULL DEFAULT (unixepoch())
);

-- What was applied is recorded once, by molos; this is the application's name for it.
CREATE VIEW module_migrations AS
SELECT
    set_name   AS module_name,
    name       AS migration_name,
    applied_at AS applied_at,
    checksum   AS checksum
FROM _molos_migrations;
