PRAGMA foreign_keys = 1;
PRAGMA foreign_keys = 0;
