CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
-- molos: foreign-keys = on
DELETE FROM notes;
