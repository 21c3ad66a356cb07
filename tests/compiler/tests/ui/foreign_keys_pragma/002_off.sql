SELECT 1;
PRAGMA foreign_keys = OFF;
