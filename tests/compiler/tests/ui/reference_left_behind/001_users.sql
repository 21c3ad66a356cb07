CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT,
    email TEXT NOT NULL
);
CREATE TABLE sessions (
    token TEXT NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE VIEW signed_in AS SELECT user_id FROM sessions;
CREATE TRIGGER clean AFTER UPDATE OF name ON users BEGIN
    DELETE FROM sessions WHERE user_id = old.id;
END;
