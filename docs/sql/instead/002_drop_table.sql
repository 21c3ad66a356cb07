-- molos: allow drop-table drafts
INSERT INTO notes (body) SELECT body FROM drafts;
DROP TABLE drafts;
