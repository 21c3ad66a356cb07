-- +micrate Up
CREATE TABLE a (id INTEGER PRIMARY KEY);
-- +micrate Down
DROP TABLE a;
