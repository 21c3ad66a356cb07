-- molos: irreversible = the notes would be gone
DROP TABLE notes;
