CREATE TABLE tasks_items (
    id         INTEGER PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title      TEXT    NOT NULL CHECK (title <> ''),
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX tasks_items_user_id ON tasks_items (user_id);

-- A module is installed when, and only when, this is applied.
INSERT INTO modules (id, name, version) VALUES ('tasks', 'Tasks', '0.1.0');
