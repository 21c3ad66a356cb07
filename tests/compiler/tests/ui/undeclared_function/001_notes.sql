CREATE TABLE notes (id TEXT PRIMARY KEY CHECK (is_uuid(id)));
