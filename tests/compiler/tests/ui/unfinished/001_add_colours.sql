-- add_colours: what changes, and why.
-- molos: unfinished

