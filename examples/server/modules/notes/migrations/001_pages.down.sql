DELETE FROM modules WHERE id = 'notes';
DROP TABLE notes_links;
DROP TABLE notes_pages;
