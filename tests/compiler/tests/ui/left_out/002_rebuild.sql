CREATE TABLE notes_new (
    id     INTEGER PRIMARY KEY,
    author INTEGER NOT NULL REFERENCES authors (id),
    title  TEXT,
    stars  INTEGER
);
INSERT INTO notes_new (id, author, title, stars) SELECT id, author, title, stars FROM notes;
DROP TABLE notes;
ALTER TABLE notes_new RENAME TO notes;
