CREATE TABLE chapters (title TEXT COLLATE alphanum);
CREATE INDEX by_title ON chapters (title);
