ALTER TABLE users ADD COLUMN phone TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN slug TEXT NOT NULL DEFAULT '';
UPDATE users SET slug = 'user-' || id;
CREATE UNIQUE INDEX users_slug ON users (slug);
