//! Directories as projects have them after some years: wide tables with `CHECK`s and keys, rebuilds, triggers, a
//! full-text index, tables that take no made-up row, and many a step that takes something from rows.

use std::fmt::Write as _;

/// A directory: the name and the text of each file.
pub(crate) struct Directory {
    pub(crate) name: &'static str,
    pub(crate) files: Vec<(String, String)>,
}

/// All of them, the largest first.
pub(crate) fn all() -> [Directory; 3] {
    [large(), there_and_back(), wide()]
}

/// Up migrations only, every other one of which is a finding, among tables that take no row.
fn large() -> Directory {
    let mut directory = Directory { name: "large", files: Vec::new() };
    for table in 0..10 {
        directory.up("create_orders", &orders(table, 24));
        directory.up("create_accounts", &accounts(table));
        directory.up("add_origin", &format!("ALTER TABLE orders_{table} ADD COLUMN origin TEXT NOT NULL;\n"));
        directory.up("touch_orders", &touched(table));
        directory.up("forget_notes", &format!("UPDATE orders_{table} SET text_3 = NULL;\n"));
        directory.up("unique_names", &format!("CREATE UNIQUE INDEX orders_{table}_name ON orders_{table} (name);\n"));
        directory.up("drop_score", &format!("ALTER TABLE orders_{table} DROP COLUMN real_5;\n"));
        directory.up("rebuild_orders", &rebuilt(table, 24, &["real_5", "text_11"]));
    }
    directory.up("create_search", SEARCH);
    directory.up("fill_search", "INSERT INTO search (search) VALUES ('rebuild');\n");
    directory
}

/// Every third migration has a down migration.
fn there_and_back() -> Directory {
    let mut directory = Directory { name: "there and back", files: Vec::new() };
    for table in 0..11 {
        directory.up("create_orders", &orders(table, 20));
        directory.down(&format!("DROP TABLE orders_{table};\n"));
        directory.up("rebuild_orders", &rebuilt(table, 20, &[]));
        directory.up("add_origin", &format!("ALTER TABLE orders_{table} ADD COLUMN origin TEXT DEFAULT 'web';\n"));
        directory.down(&format!("ALTER TABLE orders_{table} DROP COLUMN origin;\n"));
        if table % 2 == 0 {
            directory.up("drop_score", &format!("ALTER TABLE orders_{table} DROP COLUMN real_5;\n"));
        } else {
            directory.up("touch_orders", &touched(table));
        }
    }
    for table in 0..3 {
        directory.up("create_accounts", &accounts(table));
    }
    directory.up("create_search", SEARCH);
    directory.up("forget_notes", "UPDATE orders_1 SET text_3 = NULL;\n");
    directory.up("view_open", "CREATE VIEW open AS SELECT id, name FROM orders_3 WHERE status = 'new';\n");
    directory.up("index_made", "CREATE INDEX orders_5_made ON orders_5 (made_at) WHERE flag_1;\n");
    directory.up("delete_cancelled", "DELETE FROM orders_7 WHERE status = 'cancelled';\n");
    directory.up("unique_names", "CREATE UNIQUE INDEX orders_9_name ON orders_9 (name);\n");
    directory
}

/// Few files, and tables of many columns.
fn wide() -> Directory {
    let mut directory = Directory { name: "wide", files: Vec::new() };
    for table in 0..5 {
        directory.up("create_orders", &orders(table, 40));
        directory.up("touch_orders", &touched(table));
        directory.up("rebuild_orders", &rebuilt(table, 40, &[]));
        directory.up("forget_notes", &format!("UPDATE orders_{table} SET text_3 = NULL;\n"));
    }
    directory.up("create_accounts", &accounts(0));
    directory.up("create_search", SEARCH);
    for table in 0..5 {
        directory.up("unique_names", &format!("CREATE UNIQUE INDEX orders_{table}_name ON orders_{table} (name);\n"));
    }
    directory.up("add_accounts", &accounts(1));
    directory.up("empty_orders", "DELETE FROM orders_4;\n");
    directory
}

impl Directory {
    fn up(&mut self, name: &str, sql: &str) {
        let number = self.files.iter().filter(|(name, _)| !name.ends_with(".down.sql")).count() + 1;
        self.files.push((format!("{number:04}_{name}.sql"), sql.to_owned()));
    }

    /// The down migration of the last one.
    fn down(&mut self, sql: &str) {
        let up = self.files.last().map(|(name, _)| name.trim_end_matches(".sql").to_owned()).unwrap_or_default();
        self.files.push((format!("{up}.down.sql"), sql.to_owned()));
    }
}

/// A table of so many columns, most of them with a `CHECK`, that refers to the one before it.
fn orders(table: usize, columns: usize) -> String {
    format!("CREATE TABLE orders_{table} (\n    {}\n);\n", definitions(table, columns, &[]).join(",\n    "))
}

fn definitions(table: usize, columns: usize, without: &[&str]) -> Vec<String> {
    let mut definitions = vec![
        "id INTEGER PRIMARY KEY AUTOINCREMENT".to_owned(),
        "name TEXT NOT NULL".to_owned(),
        "status TEXT NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'paid', 'sent', 'cancelled'))".to_owned(),
        "made_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP".to_owned(),
        "changed_at INTEGER".to_owned(),
        match table.checked_sub(1) {
            Some(parent) => format!("parent INTEGER NOT NULL REFERENCES orders_{parent} (id) ON DELETE CASCADE"),
            None => "parent INTEGER REFERENCES orders_0 (id) ON DELETE SET NULL".to_owned(),
        },
    ];
    definitions.extend((0..columns - definitions.len()).map(|number| match number % 6 {
        0 => format!("size_{number} INTEGER NOT NULL DEFAULT 0 CHECK (size_{number} BETWEEN 0 AND {number}1)"),
        1 => format!("flag_{number} BOOLEAN NOT NULL DEFAULT 0 CHECK (flag_{number} IN (0, 1))"),
        2 => format!("code_{number} TEXT NOT NULL DEFAULT 'abc' CHECK (length(code_{number}) = 3)"),
        3 => format!("text_{number} TEXT"),
        4 => format!("meta_{number} TEXT CHECK (meta_{number} IS NULL OR json_valid(meta_{number}))"),
        _ => format!("real_{number} REAL CHECK (real_{number} >= 0)"),
    }));
    definitions.retain(|definition| !without.iter().any(|name| definition.starts_with(&format!("{name} "))));
    definitions
}

/// A table that takes no row which can be made up from its schema, and one that refers to it.
fn accounts(table: usize) -> String {
    let others: Vec<String> = (0..14).map(|number| format!("note_{number} TEXT NOT NULL DEFAULT ''")).collect();
    format!(
        "CREATE TABLE accounts_{table} (\n    id INTEGER PRIMARY KEY,\n    {},\n    bank TEXT NOT NULL,\n    \
         iban TEXT NOT NULL UNIQUE,\n    low INTEGER NOT NULL,\n    high INTEGER NOT NULL,\n    \
         CONSTRAINT is_iban CHECK (substr(iban, 1, 4) = upper(bank) AND length(iban) = 22 AND bank <> ''),\n    \
         CHECK (high - low = 37 AND low > 4000 AND low * 3 < high * 2)\n);\n\
         CREATE TABLE payments_{table} (\n    id INTEGER PRIMARY KEY,\n    \
         account INTEGER NOT NULL REFERENCES accounts_{table} (id),\n    amount INTEGER NOT NULL CHECK (amount > 0),\n    \
         currency TEXT NOT NULL CHECK (length(currency) = 3)\n);\n",
        others.join(",\n    ")
    )
}

/// Triggers that keep track of changes.
fn touched(table: usize) -> String {
    format!(
        "CREATE TABLE log_{table} (id INTEGER PRIMARY KEY, \"order\" INTEGER, what TEXT NOT NULL);\n\
         CREATE TRIGGER orders_{table}_touched AFTER UPDATE OF status ON orders_{table} BEGIN\n    \
         UPDATE orders_{table} SET changed_at = unixepoch() WHERE id = NEW.id;\n    \
         INSERT INTO log_{table} (\"order\", what) VALUES (NEW.id, NEW.status);\nEND;\n\
         CREATE TRIGGER orders_{table}_gone AFTER DELETE ON orders_{table} BEGIN\n    \
         INSERT INTO log_{table} (\"order\", what) VALUES (OLD.id, 'gone');\nEND;\n"
    )
}

/// SQLite's own recipe for a table that gets another definition, without some of its columns.
fn rebuilt(table: usize, columns: usize, without: &[&str]) -> String {
    let definitions = definitions(table, columns, without);
    let names: Vec<&str> = definitions.iter().filter_map(|definition| definition.split(' ').next()).collect();
    let (definitions, names) = (definitions.join(",\n    "), names.join(", "));
    let mut sql = format!("CREATE TABLE orders_{table}_new (\n    {definitions}\n);\n");
    let _ = writeln!(sql, "INSERT INTO orders_{table}_new ({names}) SELECT {names} FROM orders_{table};");
    let _ = writeln!(sql, "DROP TABLE orders_{table};");
    let _ = writeln!(sql, "ALTER TABLE orders_{table}_new RENAME TO orders_{table};");
    let _ = writeln!(sql, "CREATE INDEX orders_{table}_by_time ON orders_{table} (made_at, status);");
    sql
}

/// A full-text index over a table, and what keeps it up to date.
const SEARCH: &str = "\
CREATE VIRTUAL TABLE search USING fts5 (name, text_3, content = 'orders_0', content_rowid = 'id');
CREATE TRIGGER search_insert AFTER INSERT ON orders_0 BEGIN
    INSERT INTO search (rowid, name, text_3) VALUES (NEW.id, NEW.name, NEW.text_3);
END;
CREATE TRIGGER search_delete AFTER DELETE ON orders_0 BEGIN
    INSERT INTO search (search, rowid, name, text_3) VALUES ('delete', OLD.id, OLD.name, OLD.text_3);
END;
";
