-- molos: verbose
CREATE TABLE notes (body TEXT NOT NULL);
