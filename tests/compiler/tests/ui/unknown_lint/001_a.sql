-- molos: allow drop-colum users.name
CREATE TABLE a (b);
