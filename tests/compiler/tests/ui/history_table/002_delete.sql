DELETE FROM _molos_migrations;
