//! What a statement says of tables that SQLite does not ask about.

use std::collections::BTreeSet;

use molos_runtime::__private::script::TokenKind;
use molos_runtime::__private::sqlite::tokens;

use crate::check::lineage::TableEvent;
use crate::read::unquoted;

/// What `statement` does, if it is an `ALTER TABLE` that renames or drops something.
pub(super) fn altering(statement: &str) -> Option<TableEvent> {
    let parts = parts(statement);
    let mut parts = parts.iter().map(String::as_str).peekable();
    take(&mut parts, "alter")?;
    take(&mut parts, "table")?;
    let mut table = name(parts.next()?);
    if take(&mut parts, ".").is_some() {
        if table != "main" {
            return None;
        }
        table = name(parts.next()?);
    }
    if take(&mut parts, "drop").is_some() {
        take(&mut parts, "column");
        return Some(TableEvent::ColumnDropped(table, name(parts.next()?)));
    }
    take(&mut parts, "rename")?;
    if take(&mut parts, "to").is_some() {
        return Some(TableEvent::Renamed(table, name(parts.next()?)));
    }
    take(&mut parts, "column");
    let old = name(parts.next()?);
    take(&mut parts, "to")?;
    Some(TableEvent::ColumnRenamed(table, old, name(parts.next()?)))
}

/// The table that `INSERT … SELECT * FROM …` reads: SQLite copies it without a look at its columns.
pub(super) fn copied_whole(statement: &str) -> Option<String> {
    let parts = parts(statement);
    let from = parts.iter().position(|part| part.eq_ignore_ascii_case("from"))?;
    let [star, from @ ..] = &parts[from.checked_sub(1)?..] else { return None };
    let table = match from {
        [_, _, dot, table, ..] if dot == "." => table,
        [_, table, ..] => table,
        _ => return None,
    };
    (star == "*").then(|| name(table))
}

/// What an `INSERT … SELECT … FROM` without other queries in it names between `SELECT` and `FROM`: what it names only after
/// that is looked at, and not copied. Nothing is known of a `*`, nor of a rowid, which is a column under another name.
pub(super) fn copied(statement: &str) -> Option<BTreeSet<String>> {
    let parts = parts(statement);
    let places = |keyword: &str| {
        let is_it = |(at, part): (usize, &String)| part.eq_ignore_ascii_case(keyword).then_some(at);
        parts.iter().enumerate().filter_map(is_it).collect::<Vec<_>>()
    };
    let (selects, froms) = (places("select"), places("from"));
    let ([select], [from, ..]) = (selects.as_slice(), froms.as_slice()) else { return None };
    let copied: BTreeSet<String> = parts.get(select + 1..*from)?.iter().map(|part| name(part)).collect();
    let is_vague = ["*", "rowid", "_rowid_", "oid"].iter().any(|part| copied.contains(*part));
    (!is_vague && parts.first()?.eq_ignore_ascii_case("insert")).then_some(copied)
}

/// The words, names and signs of a statement.
fn parts(statement: &str) -> Vec<String> {
    let is_part = |kind| !matches!(kind, TokenKind::Space | TokenKind::Comment | TokenKind::Semicolon);
    tokens(statement).filter(|token| is_part(token.kind)).map(|token| statement[token.range].to_owned()).collect()
}

/// Goes over the next part if it is this keyword or sign.
fn take<'p>(parts: &mut std::iter::Peekable<impl Iterator<Item = &'p str>>, keyword: &str) -> Option<()> {
    parts.next_if(|part| part.eq_ignore_ascii_case(keyword)).map(drop)
}

fn name(part: &str) -> String {
    unquoted(part).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::TableEvent::{ColumnDropped, ColumnRenamed, Renamed};
    use super::*;

    #[test]
    fn names_are_read_however_they_are_written() {
        let own = ToOwned::to_owned;
        let table = |old: &str, new: &str| Some(Renamed(own(old), own(new)));
        let column = |old: &str, new: &str| Some(ColumnRenamed(own("a"), own(old), own(new)));
        for (sql, expected) in [
            ("ALTER TABLE a RENAME TO b", table("a", "b")),
            ("/* x */ alter table Main . [A b] rename to \"c\"\"D\" -- e", table("a b", "c\"d")),
            ("ALTER TABLE 'a' RENAME TO `b`;", table("a", "b")),
            ("ALTER TABLE \"alter\" RENAME TO \"rename\"", table("alter", "rename")),
            ("ALTER TABLE temp.a RENAME TO b", None),
            ("ALTER TABLE a RENAME B TO c", column("b", "c")),
            ("ALTER TABLE a RENAME COLUMN rename TO \"to\"", column("rename", "to")),
            ("ALTER TABLE a RENAME \"to\" TO b", column("to", "b")),
            ("ALTER TABLE a RENAME COLUMN \"x\"\"y\" TO [z]", column("x\"y", "z")),
            ("ALTER TABLE a DROP COLUMN b", Some(ColumnDropped(own("a"), own("b")))),
            ("ALTER TABLE a DROP b", Some(ColumnDropped(own("a"), own("b")))),
            ("ALTER TABLE a ADD COLUMN b", None),
            ("CREATE TABLE a (b)", None),
        ] {
            assert_eq!(altering(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_copy_of_a_whole_table_is_seen() {
        let copied = |sql| copied_whole(sql).unwrap_or_default();
        assert_eq!(copied("INSERT INTO a SELECT * FROM b"), "b");
        assert_eq!(copied("INSERT INTO a SELECT * FROM main.[B c] WHERE 1"), "b c");
        assert_eq!(copied("INSERT INTO a VALUES (1)"), "");
        assert_eq!(copied("INSERT INTO a SELECT b FROM c"), "");
    }

    #[test]
    fn what_is_looked_at_is_not_copied() {
        let read = |sql| copied(sql).map(|names| names.contains("b"));
        assert_eq!(read("INSERT INTO t SELECT a, 'x' FROM s WHERE b IS NOT NULL"), Some(false));
        assert_eq!(read("INSERT INTO t SELECT a, upper(\"B\") FROM s"), Some(true));
        assert_eq!(read("INSERT INTO t SELECT a, s.*, 1 FROM s WHERE b"), None);
        assert_eq!(read("INSERT INTO t SELECT rowid FROM s WHERE b"), None);
        assert_eq!(read("INSERT INTO t SELECT a, (SELECT 1 FROM b) FROM s"), None);
        assert_eq!(read("UPDATE t SET a = b"), None);
    }
}
