ALTER TABLE pages DROP COLUMN pinned;
DROP INDEX pages_body;
DROP TABLE tags;
