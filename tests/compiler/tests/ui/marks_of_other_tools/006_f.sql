-- +goose Sideways
CREATE TABLE f (id INTEGER PRIMARY KEY);
