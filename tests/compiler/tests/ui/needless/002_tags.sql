SAVEPOINT tags;
PRAGMA foreign_keys = ON;
CREATE TABLE tags (name TEXT NOT NULL);
RELEASE tags;
