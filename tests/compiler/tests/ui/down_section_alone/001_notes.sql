-- +goose Down
DROP TABLE notes;
