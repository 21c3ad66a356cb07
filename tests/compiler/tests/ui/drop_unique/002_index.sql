DROP INDEX users_name;
CREATE INDEX users_name ON users (name);
