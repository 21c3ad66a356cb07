-- molos: allow untried threes.words
CREATE TABLE threes (
    id    INTEGER PRIMARY KEY,
    words TEXT CHECK (words = upper(words) || lower(words))
);
