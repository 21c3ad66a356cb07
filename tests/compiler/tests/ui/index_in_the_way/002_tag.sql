-- molos: allow drop-column notes.tag
ALTER TABLE notes DROP COLUMN tag;
