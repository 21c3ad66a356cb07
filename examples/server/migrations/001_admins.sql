-- Who may use the admin page. Keys have their scopes for that; users have this.
CREATE TABLE server_admins (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
);
