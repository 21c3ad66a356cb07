UPDATE notes SET body = 'ü', titel = 'x';
