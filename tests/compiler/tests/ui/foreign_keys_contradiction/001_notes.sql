-- molos: foreign-keys = on
PRAGMA foreign_keys = OFF;
CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
PRAGMA foreign_keys = ON;
