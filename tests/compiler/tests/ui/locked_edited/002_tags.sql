CREATE TABLE tags (name TEXT NOT NULL, colour TEXT);
