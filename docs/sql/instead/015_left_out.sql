-- molos: allow left-out pages.body
CREATE TABLE pages_new (id INTEGER PRIMARY KEY, body TEXT, pinned BOOLEAN NOT NULL DEFAULT FALSE);
INSERT INTO pages_new (id, body, pinned) SELECT id, body, pinned FROM pages;
DROP TABLE pages;
ALTER TABLE pages_new RENAME TO pages;
CREATE INDEX pages_body ON pages (body);
