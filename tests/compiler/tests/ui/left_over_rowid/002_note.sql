INSERT INTO notes (list, body) VALUES (last_insert_rowid(), 'second');
