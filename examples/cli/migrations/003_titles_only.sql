-- Nobody wrote more than a title.
-- molos: allow drop-column notes.body
-- molos: irreversible = what was in the bodies is gone

ALTER TABLE notes DROP COLUMN body;
