-- molos: allow narrow-type items.size
CREATE TABLE items_new (id INTEGER PRIMARY KEY, size INTEGER);
INSERT INTO items_new (id, size) SELECT id, CAST(size AS INTEGER) FROM items;
DROP TABLE items;
ALTER TABLE items_new RENAME TO items;
