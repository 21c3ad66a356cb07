DROP TABLE _molos_migrations;
