CREATE TABLE items_new (id INTEGER PRIMARY KEY, size INTEGER NOT NULL);
INSERT INTO items_new (id, size) SELECT id, coalesce(size, 0) FROM items;
DROP TABLE items;
ALTER TABLE items_new RENAME TO items;
