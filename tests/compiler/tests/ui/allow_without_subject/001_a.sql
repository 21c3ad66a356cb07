-- molos: allow drop-column
CREATE TABLE a (b);
