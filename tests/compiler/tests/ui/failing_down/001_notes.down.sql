
DROP TABLE note;
