ALTER TABLE tasks_items DROP COLUMN done;
