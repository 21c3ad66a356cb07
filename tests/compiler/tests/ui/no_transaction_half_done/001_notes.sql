-- molos: no-transaction
PRAGMA journal_mode = WAL;
CREATE TABLE notes (body TEXT);
