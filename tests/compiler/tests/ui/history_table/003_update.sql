UPDATE _molos_migrations SET name = 'x';
