CREATE UNIQUE INDEX items_size ON items (size);
