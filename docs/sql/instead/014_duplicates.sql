-- molos: allow data-loss items
DELETE FROM items WHERE id NOT IN (SELECT min(id) FROM items GROUP BY size);
CREATE UNIQUE INDEX items_size ON items (size);
