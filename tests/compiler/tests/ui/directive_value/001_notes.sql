-- molos: foreign-keys = yes
CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
