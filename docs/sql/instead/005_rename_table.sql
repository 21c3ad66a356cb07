-- molos: allow rename-table notes
ALTER TABLE notes RENAME TO pages;
