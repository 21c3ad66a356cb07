CREATE TABLE items (id INTEGER PRIMARY KEY);
CREATE INDEX items_user_name ON users (name);
