/* +goose Up */
CREATE TABLE c (id INTEGER PRIMARY KEY);
/* +goose Down */
DROP TABLE c;
