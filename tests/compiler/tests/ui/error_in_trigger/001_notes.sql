CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);

CREATE TRIGGER notes_are_kept BEFORE DELETE ON notes BEGIN
    UPDATE notes SET body = '' WHERE id = old.id;
    SELECT RAISE(ABORT, 'notes are kept';
END;
