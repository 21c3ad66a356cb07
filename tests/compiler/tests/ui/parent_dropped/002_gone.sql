-- molos: allow drop-table users
DROP TABLE users;
