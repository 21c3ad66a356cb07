CREATE TABLE between_them (a TEXT);
