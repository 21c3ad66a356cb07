CREATE TABLE authors (id INTEGER PRIMARY KEY);
CREATE TABLE notes (
    id     INTEGER PRIMARY KEY,
    author INTEGER NOT NULL REFERENCES authors (id) ON DELETE CASCADE,
    title  TEXT NOT NULL DEFAULT '',
    stars  INTEGER CHECK (stars <= 5)
);
CREATE INDEX notes_author ON notes (author);
CREATE TABLE changes (note INTEGER);
CREATE TRIGGER notes_changed AFTER UPDATE ON notes BEGIN
    INSERT INTO changes VALUES (new.id);
END;
