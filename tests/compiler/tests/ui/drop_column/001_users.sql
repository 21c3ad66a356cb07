CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT,
    UNIQUE (email)
);
CREATE UNIQUE INDEX users_name ON users (name);
