INSERT INTO tags (note_id, name) VALUES (7, 'a'), (8, 'b');
