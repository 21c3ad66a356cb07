CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);

-- A semicolon in a string; and one in a comment.
INSERT INTO notes (body) VALUES ('one; two');
CREAT TABLE tags (
    name TEXT NOT NULL
);
