DROP VIEW signed_in;
DROP TRIGGER clean;
