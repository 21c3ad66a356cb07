-- Everybody signs in again.
DELETE FROM sessions;
