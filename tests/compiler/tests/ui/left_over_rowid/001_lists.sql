CREATE TABLE lists (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE notes (id INTEGER PRIMARY KEY, list INTEGER NOT NULL REFERENCES lists (id), body TEXT NOT NULL);
INSERT INTO lists (name) VALUES ('inbox');
INSERT INTO notes (list, body) VALUES (last_insert_rowid(), 'welcome');
