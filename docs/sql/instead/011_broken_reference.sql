-- molos: allow drop-column users.name
DROP VIEW names;
ALTER TABLE users DROP COLUMN name;
CREATE VIEW names AS SELECT id, display_name AS name FROM users;
