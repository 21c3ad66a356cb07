-- molos: allow inexact-down
DROP TABLE notes;
