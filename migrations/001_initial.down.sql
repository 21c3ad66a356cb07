DROP VIEW module_migrations;
DROP TABLE modules;
DROP TABLE sessions;
DROP TABLE users;
