CREATE TABLE orders_new (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT COLLATE NOCASE);
INSERT INTO orders_new (id, label) SELECT id, label FROM orders;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'orders') WHERE name = 'orders_new';
DROP TABLE orders;
ALTER TABLE orders_new RENAME TO orders;
