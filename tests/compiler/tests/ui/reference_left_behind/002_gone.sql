-- molos: allow drop-table sessions
DROP TABLE sessions;
