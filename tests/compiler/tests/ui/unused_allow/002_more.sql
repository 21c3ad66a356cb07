-- molos: allow rename-column users.mail
-- molos: allow drop-table users
ALTER TABLE users RENAME COLUMN email TO address;
