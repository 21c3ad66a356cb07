-- molos: allow drop-unique users_nickname
DROP INDEX users_nickname;
