PRAGMA ignore_check_constraints(1);
