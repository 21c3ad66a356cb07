DELETE FROM modules WHERE id = 'tasks';
DROP TABLE tasks_items;
