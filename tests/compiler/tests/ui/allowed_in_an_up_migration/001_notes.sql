-- molos: allow inexact-down
CREATE TABLE notes (id INTEGER PRIMARY KEY);
