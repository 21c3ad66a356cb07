-- molos: allow data-loss sessions
DELETE FROM sessions;
