CREATE TABLE found AS SELECT 'aa' LIKE printf('%.2000c', '%') AS is_found;
