CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, tag TEXT);
CREATE INDEX notes_tag ON notes (tag);
