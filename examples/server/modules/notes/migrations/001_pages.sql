CREATE TABLE notes_pages (
    id         INTEGER PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    body       TEXT    NOT NULL CHECK (body <> ''),
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX notes_pages_user_id ON notes_pages (user_id);

CREATE TABLE notes_links (
    from_page INTEGER NOT NULL REFERENCES notes_pages (id) ON DELETE CASCADE,
    to_page   INTEGER NOT NULL REFERENCES notes_pages (id) ON DELETE CASCADE,
    PRIMARY KEY (from_page, to_page)
) WITHOUT ROWID;
CREATE INDEX notes_links_to_page ON notes_links (to_page);

-- A module is installed when, and only when, this is applied.
INSERT INTO modules (id, name, version) VALUES ('notes', 'Notes', '0.1.0');
