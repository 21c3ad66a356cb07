INSERT INTO notes (body) VALUES ('welcome');
UPDATE notes SET color = NULL;
