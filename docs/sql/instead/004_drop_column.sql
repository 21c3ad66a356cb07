-- molos: allow drop-column users.nickname
UPDATE users SET name = coalesce(name, nickname);
ALTER TABLE users DROP COLUMN nickname;
