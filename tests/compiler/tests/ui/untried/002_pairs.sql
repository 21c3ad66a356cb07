CREATE TABLE pairs (
    id    INTEGER PRIMARY KEY,
    words TEXT CHECK (words = upper(words) || lower(words))
);
