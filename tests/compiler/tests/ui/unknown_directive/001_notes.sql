-- molos: foreign_keys = on
CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
