-- The tags.
CREATE TABLE tags (
    name TEXT NOT NULL
);
