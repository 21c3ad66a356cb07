CREATE TABLE halves (
    id    INTEGER PRIMARY KEY,
    words TEXT NOT NULL CHECK (words = upper(words) || lower(words))
);
