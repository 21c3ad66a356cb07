-- molos: irreversible
CREATE TABLE notes (body TEXT NOT NULL);
