//! What a `CREATE` statement says, one fact a line, so that two ways of writing the same thing read the same.
//!
//! The statements are those that SQLite keeps in its schema, so they are known to be right. What is not understood here
//! is kept as it stands: it may make two schemas look different that are not, and never the other way round.

use std::slice;

use crate::script::{TokenKind, tokens};

/// A token of a statement, with names and keywords in lower case and names without quotes.
struct Piece {
    text: String,
    /// Whether it is a keyword or a bare name.
    bare: bool,
}

/// The facts of a statement, in an order that does not depend on how it is written.
pub(crate) fn facts(sql: &str) -> Vec<String> {
    let pieces = pieces(sql);
    let is_table = pieces.first().is_some_and(|piece| piece.is("create"))
        && pieces.get(1).is_some_and(|piece| piece.is("table"))
        && pieces.get(3).is_some_and(|piece| piece.text == "(");
    if is_table { table(&pieces[3..]) } else { vec![text(&pieces)] }
}

fn pieces(sql: &str) -> Vec<Piece> {
    let known = tokens(sql).filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
    known.map(|token| Piece::new(token.kind, &sql[token.range])).collect()
}

impl Piece {
    fn new(kind: TokenKind, token: &str) -> Self {
        let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
        let text = match (kind, token.chars().next()) {
            (TokenKind::Word, _) => token.to_lowercase(),
            (TokenKind::Quoted, Some(quote)) if quote != '\'' => {
                let name = inner.replace(&format!("{quote}{quote}"), &quote.to_string()).to_lowercase();
                let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
                if plain && !name.is_empty() { name } else { format!("\"{name}\"") }
            }
            _ => token.to_owned(),
        };
        Self { text, bare: kind == TokenKind::Word }
    }

    fn is(&self, keyword: &str) -> bool {
        self.bare && self.text == keyword
    }
}

fn text(pieces: &[Piece]) -> String {
    let texts: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
    texts.join(" ")
}

/// The facts of a table, from the parenthesis that its columns are in.
fn table(pieces: &[Piece]) -> Vec<String> {
    let end = group(pieces);
    let body = pieces.get(1..end.saturating_sub(1)).unwrap_or_default();
    let mut facts = Vec::new();
    let mut names = Vec::new();
    for part in parts(body) {
        let Some(first) = part.first() else { continue };
        if ["constraint", "primary", "unique", "check", "foreign"].iter().any(|keyword| first.is(keyword)) {
            facts.push(table_constraint(part));
        } else {
            names.push(first.text.clone());
            column(part, &mut facts);
        }
    }
    facts.push(format!("columns ( {} )", names.join(" , ")));
    facts.extend(parts(&pieces[end..]).map(text).filter(|option| !option.is_empty()));
    facts.sort();
    facts
}

/// How many pieces the group in parentheses at the start has, or 1 if it starts with something else.
fn group(pieces: &[Piece]) -> usize {
    let mut depth = 0_usize;
    for (at, piece) in pieces.iter().enumerate() {
        match piece.text.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    pieces.len()
}

/// What stands between the commas outside of parentheses.
fn parts(pieces: &[Piece]) -> impl Iterator<Item = &[Piece]> {
    let mut depth = 0_usize;
    pieces.split(move |piece| {
        match piece.text.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && piece.text == ","
    })
}

fn table_constraint(part: &[Piece]) -> String {
    let part = if part[0].is("constraint") { part.get(2..).unwrap_or_default() } else { part };
    let Some(references) = part.iter().position(|piece| piece.is("references")) else {
        let said: Vec<&str> = part.iter().filter(|piece| !piece.is("asc")).map(|piece| piece.text.as_str()).collect();
        return said.join(" ");
    };
    let (key, mut rest) = part.split_at(references);
    format!("{} {}", text(key), reference(&mut rest))
}

const COLUMN_CONSTRAINTS: &[&str] =
    &["constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references", "generated", "as"];

/// The facts of a column: one about itself, and those that could as well be said of the table.
fn column(part: &[Piece], facts: &mut Vec<String>) {
    let name = &part[0].text;
    let starts_constraint = |piece: &Piece| COLUMN_CONSTRAINTS.iter().any(|keyword| piece.is(keyword));
    let (declared, mut rest) =
        part[1..].split_at(part[1..].iter().position(starts_constraint).unwrap_or(part.len() - 1));
    let mut own = Vec::new();
    while let Some(first) = rest.first() {
        match first.text.as_str() {
            "constraint" | "generated" => drop(take(&mut rest, 2)),
            "null" => drop(take(&mut rest, 1)),
            "primary" => {
                take(&mut rest, 2);
                let order = rest.first().filter(|piece| piece.is("desc")).map_or("", |_| " desc");
                if rest.first().is_some_and(|piece| piece.is("asc") || piece.is("desc")) {
                    take(&mut rest, 1);
                }
                let conflict = on_conflict(&mut rest);
                facts.push(format!("primary key ( {name}{order} ){conflict}"));
                if rest.first().is_some_and(|piece| piece.is("autoincrement")) {
                    facts.push(take(&mut rest, 1));
                }
            }
            "unique" => {
                take(&mut rest, 1);
                facts.push(format!("unique ( {name} ){}", on_conflict(&mut rest)));
            }
            "check" => facts.push(keyword_and_group(&mut rest)),
            "references" => facts.push(format!("foreign key ( {name} ) {}", reference(&mut rest))),
            "not" => {
                let said = take(&mut rest, 2);
                own.push(said + &on_conflict(&mut rest));
            }
            "default" => {
                take(&mut rest, 1);
                let signed = rest.first().is_some_and(|piece| piece.text == "-" || piece.text == "+");
                let len = if signed { 2 } else { group(rest) };
                let mut value = take(&mut rest, len);
                if let [_, only, _] = value.split(' ').collect::<Vec<_>>().as_slice()
                    && len == 3
                {
                    value = (*only).to_owned();
                }
                own.push(format!("default {value}"));
            }
            "collate" => {
                let said = take(&mut rest, 2);
                own.extend((said != "collate binary").then_some(said));
            }
            "as" => {
                let mut said = keyword_and_group(&mut rest);
                if rest.first().is_some_and(|piece| piece.is("stored") || piece.is("virtual")) {
                    let kind = take(&mut rest, 1);
                    said += if kind == "stored" { " stored" } else { "" };
                }
                own.push(said);
            }
            _ => own.push(take(&mut rest, 1)),
        }
    }
    own.sort();
    own.insert(0, text(declared));
    let own: Vec<String> = own.into_iter().filter(|fact| !fact.is_empty()).collect();
    facts.push(format!("column {name} {}", own.join(" ")).trim_end().to_owned());
}

/// Takes the first pieces, or as many as there are.
fn take(rest: &mut &[Piece], count: usize) -> String {
    let (taken, left) = rest.split_at(count.min(rest.len()));
    *rest = left;
    text(taken)
}

fn keyword_and_group(rest: &mut &[Piece]) -> String {
    let keyword = take(rest, 1);
    let len = group(rest);
    format!("{keyword} {}", take(rest, len))
}

fn on_conflict(rest: &mut &[Piece]) -> String {
    if rest.first().is_some_and(|piece| piece.is("on")) { format!(" {}", take(rest, 3)) } else { String::new() }
}

/// A `REFERENCES` clause without what it says by default.
fn reference(rest: &mut &[Piece]) -> String {
    let mut said = take(rest, 2);
    if rest.first().is_some_and(|piece| piece.text == "(") {
        let len = group(rest);
        said = format!("{said} {}", take(rest, len));
    }
    let mut clauses = Vec::new();
    while let Some(first) = rest.first() {
        let second = rest.get(1).map(slice::from_ref).map(text).unwrap_or_default();
        let len = match (first.text.as_str(), second.as_str()) {
            ("on", _) => match rest.get(2) {
                Some(action) if action.is("set") || action.is("no") => 4,
                _ => 3,
            },
            ("match" | "initially", _) | ("not", "deferrable") => 2,
            ("deferrable", _) => 1,
            _ => break,
        };
        clauses.push(take(rest, len));
    }
    let is_default = |clause: &String| {
        clause.ends_with(" no action") || clause.starts_with("match") || clause == "initially immediate"
    };
    clauses.retain(|clause| !is_default(clause));
    let deferred = clauses.iter().any(|clause| clause == "initially deferred")
        && !clauses.iter().any(|clause| clause == "not deferrable");
    if !deferred {
        clauses.retain(|clause| clause.starts_with("on "));
    }
    clauses.sort();
    clauses.insert(0, said);
    clauses.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_reads_the_same() {
        let one = "CREATE TABLE notes (\n  id TEXT NOT NULL PRIMARY KEY, -- the key\n  \
                   owner TEXT REFERENCES users (id) ON UPDATE NO ACTION ON DELETE CASCADE,\n  \
                   size INT DEFAULT (0) CHECK (size > 0),\n  tag TEXT UNIQUE COLLATE BINARY NOT NULL,\n  \
                   twice INT GENERATED ALWAYS AS (size * 2) VIRTUAL\n) STRICT, WITHOUT ROWID";
        let other = "CREATE TABLE \"Notes\" (id text primary key not null, \"owner\" TEXT, [size] INT CHECK(size>0) \
                     DEFAULT 0, tag TEXT NOT NULL, twice INT AS (size*2), CONSTRAINT fk FOREIGN KEY (owner) REFERENCES \
                     \"users\"(\"id\") ON DELETE CASCADE NOT DEFERRABLE, CONSTRAINT u UNIQUE (tag)) WITHOUT ROWID, STRICT";
        assert_eq!(facts(one), facts(other));
        assert_eq!(
            facts(one),
            [
                "check ( size > 0 )",
                "column id text not null",
                "column owner text",
                "column size int default 0",
                "column tag text not null",
                "column twice int as ( size * 2 )",
                "columns ( id , owner , size , tag , twice )",
                "foreign key ( owner ) references users ( id ) on delete cascade",
                "primary key ( id )",
                "strict",
                "unique ( tag )",
                "without rowid",
            ]
        );
    }

    #[test]
    fn what_means_something_else_reads_differently() {
        let base = "CREATE TABLE t (a TEXT DEFAULT 'x', b INTEGER REFERENCES p)";
        let others = [
            "CREATE TABLE t (a TEXT DEFAULT 'X', b INTEGER REFERENCES p)",
            "CREATE TABLE t (a TEXT DEFAULT \"x\", b INTEGER REFERENCES p)",
            "CREATE TABLE t (a TEXT DEFAULT 'x' COLLATE nocase, b INTEGER REFERENCES p)",
            "CREATE TABLE t (a VARCHAR(9) DEFAULT 'x', b INTEGER REFERENCES p)",
            "CREATE TABLE t (b INTEGER REFERENCES p, a TEXT DEFAULT 'x')",
            "CREATE TABLE t (a TEXT DEFAULT 'x', b INTEGER REFERENCES p ON DELETE SET NULL)",
            "CREATE TABLE t (a TEXT DEFAULT 'x', b INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
            "CREATE TABLE t (a TEXT DEFAULT 'x', b INTEGER REFERENCES p, CHECK (b > 0))",
            "CREATE TABLE t (a TEXT DEFAULT 'x', b INTEGER PRIMARY KEY REFERENCES p)",
            "CREATE TABLE t (a TEXT DEFAULT 'x', b INTEGER PRIMARY KEY AUTOINCREMENT REFERENCES p)",
            "CREATE TABLE t (a TEXT DEFAULT 'x', b INTEGER REFERENCES p) STRICT",
        ];
        let mut all: Vec<_> = others.iter().map(|sql| facts(sql)).collect();
        all.push(facts(base));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn no_text_is_too_broken_to_be_read() {
        for sql in [
            "",
            "CREATE TABLE t (",
            "CREATE TABLE t (a DEFAULT",
            "CREATE TABLE t (,,a REFERENCES)",
            "'",
            "\"é",
            "[",
            "\"",
        ] {
            facts(sql);
        }
    }
}
