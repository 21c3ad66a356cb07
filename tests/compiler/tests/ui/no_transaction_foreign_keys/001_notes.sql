-- molos: no-transaction
-- molos: foreign-keys = on
VACUUM;
