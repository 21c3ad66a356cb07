UPDATE word SET note = upper(note);
UPDATE OR REPLACE word SET word = 'the word';
DELETE FROM gateway WHERE id > 0;
INSERT INTO gateway (id) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9);
