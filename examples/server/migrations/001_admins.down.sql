DROP TABLE server_admins;
