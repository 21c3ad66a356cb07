//! What a `CREATE` statement says, as facts, so that two ways of writing the same thing are the same.
//!
//! The statements are those that SQLite keeps in its schema, so they are known to be right. What is not understood here
//! is kept as it stands: it may make two schemas look different that are not, and never the other way round.

use std::collections::BTreeSet;

use super::pieces::{Piece, Token, pieces};
use super::scope;
use crate::schema::{
    Action, Check, Column, Conflict, Event, Expression, Fact, ForeignKey, Generated, Index, KeyPart, Object,
    ObjectKind, PrimaryKey, Term, Time, Trigger, Unique, View, VirtualTable,
};

/// What a statement says.
#[derive(Debug, Default)]
pub(super) struct Definition {
    pub(super) facts: Vec<Fact>,
    /// The tables whose columns decide what is a name in it, and what a string.
    pub(super) depends_on: BTreeSet<String>,
}

/// The columns of a table, if there is one of this name.
pub(super) type Columns<'c> = dyn Fn(&str) -> Option<Vec<String>> + 'c;

/// Reads the statement that made an object.
pub(super) fn read(object: &Object, sql: &str, columns: &Columns<'_>) -> Definition {
    let pieces = pieces(sql);
    let mut depends_on = BTreeSet::new();
    let facts = match object.kind {
        ObjectKind::Table => table(&pieces),
        ObjectKind::Index => index(&pieces, columns, &mut depends_on).map(|fact| vec![fact]),
        ObjectKind::Trigger => trigger(&pieces, columns, &mut depends_on).map(|fact| vec![fact]),
        ObjectKind::View => view(&pieces, columns, &mut depends_on).map(|fact| vec![fact]),
    };
    let as_it_stands = || {
        let raw: Vec<String> = pieces.iter().map(|piece| piece.raw.to_owned()).collect();
        vec![Fact::Statement(Expression::new(&raw))]
    };
    Definition { facts: facts.unwrap_or_else(as_it_stands), depends_on }
}

/// What is still to be read of a statement, or of a part of it.
struct Rest<'p, 's>(&'p [Piece<'s>]);

impl<'p, 's> Rest<'p, 's> {
    fn first(&self) -> Option<&'p Piece<'s>> {
        self.0.first()
    }

    fn is(&self, keywords: &[&str]) -> bool {
        keywords.len() <= self.0.len() && self.0.iter().zip(keywords).all(|(piece, keyword)| piece.is(keyword))
    }

    fn next(&mut self) -> Option<&'p Piece<'s>> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn name(&mut self) -> Option<String> {
        self.next().map(Piece::name)
    }

    /// Takes these keywords if they stand here.
    fn take(&mut self, keywords: &[&str]) -> bool {
        let is = self.is(keywords);
        if is {
            self.0 = &self.0[keywords.len()..];
        }
        is
    }

    fn expect(&mut self, keywords: &[&str]) -> Option<()> {
        self.take(keywords).then_some(())
    }

    /// Takes what is in the parentheses here.
    fn group(&mut self) -> Option<&'p [Piece<'s>]> {
        let len = group(self.0)?;
        let (inner, rest) = (&self.0[1..len - 1], &self.0[len..]);
        self.0 = rest;
        Some(inner)
    }

    /// Takes everything before this keyword, which stands outside of parentheses and is not part of a name.
    fn until(&mut self, keyword: &str) -> Option<&'p [Piece<'s>]> {
        let mut depth = 0_usize;
        let mut before: Option<&Piece<'_>> = None;
        let at = self.0.iter().position(|piece| {
            depth = deeper(depth, piece);
            let is_it = depth == 0 && piece.is(keyword) && !before.is_some_and(|before| before.is_sign("."));
            before = Some(piece);
            is_it
        })?;
        let (taken, rest) = self.0.split_at(at);
        self.0 = rest;
        Some(taken)
    }
}

fn deeper(depth: usize, piece: &Piece<'_>) -> usize {
    match &piece.token {
        Token::Sign(sign) if sign == "(" => depth + 1,
        Token::Sign(sign) if sign == ")" => depth.saturating_sub(1),
        _ => depth,
    }
}

/// How many pieces the group in parentheses at the start has, with them.
pub(super) fn group(pieces: &[Piece<'_>]) -> Option<usize> {
    pieces.first().filter(|piece| piece.is_sign("("))?;
    let mut depth = 0_usize;
    let end = pieces.iter().position(|piece| {
        depth = deeper(depth, piece);
        depth == 0
    })?;
    Some(end + 1)
}

/// What stands between the commas outside of parentheses.
fn parts<'p, 's>(pieces: &'p [Piece<'s>]) -> impl Iterator<Item = &'p [Piece<'s>]> {
    let mut depth = 0_usize;
    pieces.split(move |piece| {
        depth = deeper(depth, piece);
        depth == 0 && piece.is_sign(",")
    })
}

fn names(pieces: &[Piece<'_>]) -> Vec<String> {
    parts(pieces).filter_map(|part| part.first()).map(Piece::name).collect()
}

/// An expression about the columns of one table.
///
/// A word in double quotes is a string in there if there is no such column.
fn expression(pieces: &[Piece<'_>], columns: &[String]) -> Expression {
    let token = |(at, piece): (usize, &Piece<'_>)| match &piece.token {
        Token::Quoted { name, is_double: true } if !scope::is_place_of_name(pieces, at) => {
            let name = name.to_ascii_lowercase();
            if columns.contains(&name) {
                piece.as_name()
            } else if ["rowid", "oid", "_rowid_"].contains(&name.as_str()) {
                piece.exact()
            } else {
                piece.as_string()
            }
        }
        Token::Quoted { .. } => piece.as_name(),
        _ => piece.exact(),
    };
    Expression::new(&pieces.iter().enumerate().map(token).collect::<Vec<_>>())
}

/// The facts of a table.
fn table(pieces: &[Piece<'_>]) -> Option<Vec<Fact>> {
    let mut rest = Rest(pieces);
    if rest.take(&["create", "virtual", "table"]) {
        return virtual_table(rest).map(|fact| vec![fact]);
    }
    rest.expect(&["create", "table"])?;
    rest.next()?;
    let body = rest.group()?;
    let mut table = Table::default();
    let starts_constraint = |part: &&[Piece<'_>]| part.first().is_some_and(|piece| piece.is_any(TABLE_CONSTRAINTS));
    let is_column = |part: &&[Piece<'_>]| !starts_constraint(part);
    table.columns = parts(body).filter(is_column).filter_map(|part| part.first()).map(Piece::name).collect();
    for part in parts(body) {
        if starts_constraint(&part) { table.constraints(part)? } else { table.column(part)? }
    }
    let options: Vec<String> = parts(rest.0)
        .map(|option| option.iter().map(Piece::name).collect::<Vec<_>>().join(" "))
        .filter(|option| !option.is_empty())
        .collect();
    table.find_rowid(options.iter().any(|option| option == "without rowid"));
    let Table { columns, mut facts, .. } = table;
    facts.extend(options.into_iter().map(Fact::TableOption));
    facts.push(Fact::Columns(columns));
    Some(facts)
}

/// A module is told its arguments as they were written, and means by them whatever it likes.
fn virtual_table(mut rest: Rest<'_, '_>) -> Option<Fact> {
    rest.next()?;
    rest.expect(&["using"])?;
    let module = rest.name()?;
    let arguments = match rest.group() {
        Some(inner) => parts(inner).map(raw).collect(),
        None => Vec::new(),
    };
    Some(Fact::VirtualTable(VirtualTable { module, arguments }))
}

/// Pieces as they were written, with what stands between them.
fn raw(pieces: &[Piece<'_>]) -> String {
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        text.push_str(if at > 0 { piece.gap } else { "" });
        text.push_str(piece.raw);
    }
    text
}

const TABLE_CONSTRAINTS: &[&str] = &["constraint", "primary", "unique", "check", "foreign"];

/// What is known of a table while its statement is read.
#[derive(Default)]
struct Table {
    columns: Vec<String>,
    facts: Vec<Fact>,
    /// Whether the primary key was declared with `DESC` in its column, which keeps it from being the rowid:
    /// <https://sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key>
    descending_in_column: bool,
}

impl Table {
    fn find_rowid(&mut self, without_rowid: bool) {
        let is_integer = |name: &str| {
            let is_it = |fact: &Fact| {
                matches!(fact, Fact::Column(column) if column.name == name
                && ["integer", "\"integer\""].contains(&column.declared_type.as_str()))
            };
            self.facts.iter().any(is_it)
        };
        let is_rowid = |key: &PrimaryKey| match key.columns.as_slice() {
            [only] => only.column().is_some_and(is_integer),
            _ => false,
        };
        let is_rowid = !without_rowid
            && !self.descending_in_column
            && self.facts.iter().any(|fact| matches!(fact, Fact::PrimaryKey(key) if is_rowid(key)));
        for fact in &mut self.facts {
            if let Fact::PrimaryKey(key) = fact {
                key.rowid = is_rowid;
            }
        }
    }

    /// Constraints of the table. A comma between two of them may be left out.
    fn constraints(&mut self, part: &[Piece<'_>]) -> Option<()> {
        let mut rest = Rest(part);
        while rest.first().is_some() {
            if rest.take(&["constraint"]) {
                rest.next()?;
            } else if rest.take(&["primary", "key"]) {
                let mut inner = rest.group()?;
                let autoincrement = inner.last().is_some_and(|piece| piece.is("autoincrement"));
                if autoincrement {
                    inner = &inner[..inner.len() - 1];
                }
                let (columns, conflict) = (self.key_parts(inner)?, on_conflict(&mut rest)?);
                self.facts.push(Fact::PrimaryKey(PrimaryKey { columns, conflict, autoincrement, rowid: false }));
            } else if rest.take(&["unique"]) {
                let columns = self.key_parts(rest.group()?)?;
                self.facts.push(Fact::Unique(Unique { columns, conflict: on_conflict(&mut rest)? }));
            } else if rest.take(&["check"]) {
                let condition = expression(rest.group()?, &self.columns);
                self.facts.push(Fact::Check(Check { condition, conflict: on_conflict(&mut rest)? }));
            } else if rest.take(&["foreign", "key"]) {
                let columns = names(rest.group()?);
                rest.expect(&["references"])?;
                self.reference(columns, &mut rest)?;
            } else if !self.defers(&mut rest) {
                return None;
            }
        }
        Some(())
    }

    /// The facts of a column: one about itself, and those that could as well be said of the table.
    fn column(&mut self, part: &[Piece<'_>]) -> Option<()> {
        let mut rest = Rest(part);
        let name = rest.name()?;
        let declared_type = declared_type(&mut rest);
        let of_column = || {
            let term = Term::Column(name.clone());
            vec![KeyPart { term, collation: None, descending: false }]
        };
        let mut column = Column {
            name: name.clone(),
            declared_type,
            generated: None,
            collation: None,
            default: None,
            not_null: false,
            null_conflict: None,
        };
        while rest.first().is_some() {
            if rest.take(&["constraint"]) {
                rest.next()?;
            } else if rest.take(&["null"]) {
                on_conflict(&mut rest)?;
            } else if rest.take(&["not", "null"]) {
                column.not_null = true;
                column.null_conflict = on_conflict(&mut rest)?;
            } else if rest.take(&["primary", "key"]) {
                let mut columns = of_column();
                columns[0].descending = rest.take(&["desc"]);
                self.descending_in_column |= columns[0].descending;
                rest.take(&["asc"]);
                let conflict = on_conflict(&mut rest)?;
                let autoincrement = rest.take(&["autoincrement"]);
                self.facts.push(Fact::PrimaryKey(PrimaryKey { columns, conflict, autoincrement, rowid: false }));
            } else if rest.take(&["unique"]) {
                let conflict = on_conflict(&mut rest)?;
                self.facts.push(Fact::Unique(Unique { columns: of_column(), conflict }));
            } else if rest.take(&["check"]) {
                let condition = expression(rest.group()?, &self.columns);
                self.facts.push(Fact::Check(Check { condition, conflict: None }));
            } else if rest.take(&["references"]) {
                self.reference(vec![name.clone()], &mut rest)?;
            } else if rest.take(&["default"]) {
                column.default = Some(self.default_value(&mut rest)?);
            } else if rest.take(&["collate"]) {
                column.collation = rest.name().filter(|collation| collation != "binary");
            } else if rest.take(&["generated", "always", "as"]) || rest.take(&["as"]) {
                let expression = expression(rest.group()?, &self.columns);
                let stored = rest.take(&["stored"]);
                rest.take(&["virtual"]);
                column.generated = Some(Generated { expression, stored });
            } else if !self.defers(&mut rest) {
                return None;
            }
        }
        self.facts.push(Fact::Column(column));
        Some(())
    }

    /// What follows `DEFAULT`. A bare or quoted word there is a string, whose case counts.
    fn default_value(&self, rest: &mut Rest<'_, '_>) -> Option<Expression> {
        let value = |piece: &Piece<'_>| match &piece.token {
            Token::Word(word) if CONSTANTS.contains(&word.as_str()) => word.clone(),
            Token::Word(_) | Token::Quoted { .. } => piece.as_string(),
            _ => piece.exact(),
        };
        let signed = |sign: &Piece<'_>, number: &Piece<'_>| {
            ((sign.is_sign("-") || sign.is_sign("+")) && matches!(number.token, Token::Literal(_)))
                .then(|| Expression::new(&[sign.exact() + &number.exact()]))
        };
        if let Some(inner) = rest.group() {
            return Some(match inner {
                [only] => Expression::new(&[value(only)]),
                [sign, number] if signed(sign, number).is_some() => signed(sign, number)?,
                _ => Expression::new(&[format!("( {} )", expression(inner, &self.columns))]),
            });
        }
        let first = rest.next()?;
        if first.is_sign("-") || first.is_sign("+") {
            let term = rest.next()?;
            return signed(first, term).or_else(|| Some(Expression::new(&[first.exact(), value(term)])));
        }
        Some(Expression::new(&[value(first)]))
    }

    /// The columns of a key. SQLite takes a string there for a name.
    fn key_parts(&self, pieces: &[Piece<'_>]) -> Option<Vec<KeyPart>> {
        key_parts(pieces, &self.columns)
    }

    /// Reads what follows `REFERENCES`.
    fn reference(&mut self, columns: Vec<String>, rest: &mut Rest<'_, '_>) -> Option<()> {
        let parent = rest.name()?;
        let parent_columns = rest.group().map(names).unwrap_or_default();
        let (mut on_delete, mut on_update) = (Action::NoAction, Action::NoAction);
        loop {
            if rest.take(&["on", "delete"]) {
                on_delete = action(rest)?;
            } else if rest.take(&["on", "update"]) {
                on_update = action(rest)?;
            } else if rest.take(&["on", "insert"]) {
                action(rest)?;
            } else if rest.take(&["match"]) {
                rest.next()?;
            } else {
                break;
            }
        }
        let deferred = false;
        let key = ForeignKey { columns, parent, parent_columns, on_delete, on_update, deferred };
        self.facts.push(Fact::ForeignKey(key));
        self.defers(rest);
        Some(())
    }

    /// Takes a clause about when a key is checked, which is about the one before it, wherever that was. Returns whether
    /// there was one.
    fn defers(&mut self, rest: &mut Rest<'_, '_>) -> bool {
        let may_be_deferred = !rest.take(&["not", "deferrable"]);
        if may_be_deferred && !rest.take(&["deferrable"]) {
            return false;
        }
        let is_deferred = rest.take(&["initially", "deferred"]);
        rest.take(&["initially", "immediate"]);
        let mut keys = self.facts.iter_mut().rev().filter_map(|fact| match fact {
            Fact::ForeignKey(key) => Some(key),
            _ => None,
        });
        if let Some(key) = keys.next() {
            key.deferred = is_deferred && may_be_deferred;
        }
        true
    }
}

/// Words that are a value of their own.
const CONSTANTS: &[&str] = &["null", "true", "false", "current_date", "current_time", "current_timestamp"];

const COLUMN_CONSTRAINTS: &[&str] = &[
    "constraint",
    "primary",
    "not",
    "null",
    "unique",
    "check",
    "default",
    "collate",
    "references",
    "as",
    "deferrable",
];

/// Takes the type of a column.
fn declared_type(rest: &mut Rest<'_, '_>) -> String {
    let is_part = |piece: &Piece<'_>| match &piece.token {
        Token::Word(word) => !COLUMN_CONSTRAINTS.contains(&word.as_str()),
        Token::Quoted { .. } | Token::String(_) => true,
        Token::Literal(_) | Token::Sign(_) => false,
    };
    let words = rest.0.iter().take_while(|piece| is_part(piece)).count();
    let size = group(&rest.0[words..]).filter(|_| words > 0).unwrap_or_default();
    let (mut declared, left) = rest.0.split_at(words + size);
    rest.0 = left;
    // SQLite takes the type up to here, and cuts these off if nothing but white space is between them.
    if let [before @ .., generated, always] = declared
        && (generated.is("generated") && always.is("always") && always.gap.trim_ascii().is_empty())
    {
        declared = before;
    }
    let mut text = Vec::new();
    for (at, piece) in declared.iter().enumerate() {
        if at > 0 {
            text.extend(said_in_comment(piece.gap));
        }
        text.push(match &piece.token {
            // In quotes it is not one of the types that SQLite knows by name.
            Token::Quoted { .. } | Token::String(_) => format!("\"{}\"", piece.name().replace('"', "\"\"")),
            _ => piece.exact(),
        });
    }
    text.join(" ")
}

/// A comment inside of a type is part of it, and counts if it decides how values are stored:
/// <https://sqlite.org/datatype3.html#determination_of_column_affinity>
fn said_in_comment(gap: &str) -> Option<String> {
    const DECISIVE: &[&str] = &["int", "char", "clob", "text", "blob", "real", "floa", "doub"];
    let gap = gap.to_ascii_lowercase();
    DECISIVE.iter().any(|part| gap.contains(part)).then(|| format!("\"{}\"", gap.replace('"', "\"\"")))
}

/// Takes what is to be done with a row that a constraint stands against, if it is said.
#[expect(clippy::option_option, reason = "the outer one is whether it was understood")]
fn on_conflict(rest: &mut Rest<'_, '_>) -> Option<Option<Conflict>> {
    if !rest.take(&["on", "conflict"]) {
        return Some(None);
    }
    Some(Some(match rest.name()?.as_str() {
        "rollback" => Conflict::Rollback,
        "abort" => Conflict::Abort,
        "fail" => Conflict::Fail,
        "ignore" => Conflict::Ignore,
        "replace" => Conflict::Replace,
        _ => return None,
    }))
}

fn action(rest: &mut Rest<'_, '_>) -> Option<Action> {
    const ACTIONS: &[(&[&str], Action)] = &[
        (&["no", "action"], Action::NoAction),
        (&["restrict"], Action::Restrict),
        (&["set", "null"], Action::SetNull),
        (&["set", "default"], Action::SetDefault),
        (&["cascade"], Action::Cascade),
    ];
    ACTIONS.iter().find(|(keywords, _)| rest.take(keywords)).map(|(_, action)| *action)
}

/// The parts of a key or an index.
fn key_parts(pieces: &[Piece<'_>], columns: &[String]) -> Option<Vec<KeyPart>> {
    let part = |mut part: &[Piece<'_>]| {
        let last = part.last()?;
        let descending = last.is("desc") && part.len() > 1;
        if descending || (last.is("asc") && part.len() > 1) {
            part = &part[..part.len() - 1];
        }
        let column = |piece: &Piece<'_>| {
            let name = piece.name();
            let is_name = match &piece.token {
                Token::Word(word) => !CONSTANTS.contains(&word.as_str()) || columns.contains(&name),
                Token::Quoted { is_double: true, .. } => columns.contains(&name),
                Token::Quoted { .. } | Token::String(_) => true,
                Token::Literal(_) | Token::Sign(_) => false,
            };
            is_name.then_some(name)
        };
        let (column, collation) = match part {
            [only] => (column(only), None),
            [first, collate, collation] if collate.is("collate") => (column(first), Some(collation.name())),
            _ => (None, None),
        };
        Some(match column {
            Some(name) => KeyPart { term: Term::Column(name), collation, descending },
            None => KeyPart { term: Term::Expression(expression(part, columns)), collation: None, descending },
        })
    };
    parts(pieces).map(part).collect()
}

fn index(pieces: &[Piece<'_>], columns: &Columns<'_>, depends_on: &mut BTreeSet<String>) -> Option<Fact> {
    let mut rest = Rest(pieces);
    rest.expect(&["create"])?;
    let unique = rest.take(&["unique"]);
    rest.expect(&["index"])?;
    rest.next()?;
    rest.expect(&["on"])?;
    let table = rest.name()?;
    let known = columns(&table).unwrap_or_default();
    if pieces.iter().any(|piece| matches!(piece.token, Token::Quoted { is_double: true, .. })) {
        depends_on.insert(table.clone());
    }
    let parts = key_parts(rest.group()?, &known)?;
    let condition = if rest.take(&["where"]) { Some(expression(rest.0, &known)) } else { None };
    Some(Fact::Index(Index { unique, table, parts, condition }))
}

fn view(pieces: &[Piece<'_>], columns: &Columns<'_>, depends_on: &mut BTreeSet<String>) -> Option<Fact> {
    let mut rest = Rest(pieces);
    rest.expect(&["create", "view"])?;
    rest.next()?;
    let names = rest.group().map(names).unwrap_or_default();
    rest.expect(&["as"])?;
    Some(Fact::View(View { columns: names, query: scope::resolve(rest.0, columns, depends_on) }))
}

fn trigger(pieces: &[Piece<'_>], columns: &Columns<'_>, depends_on: &mut BTreeSet<String>) -> Option<Fact> {
    let mut rest = Rest(pieces);
    rest.expect(&["create", "trigger"])?;
    rest.next()?;
    let time = if rest.take(&["after"]) {
        Time::After
    } else if rest.take(&["instead", "of"]) {
        Time::InsteadOf
    } else {
        rest.take(&["before"]);
        Time::Before
    };
    let event = if rest.take(&["delete"]) {
        Event::Delete
    } else if rest.take(&["insert"]) {
        Event::Insert
    } else {
        rest.expect(&["update"])?;
        Event::Update(if rest.take(&["of"]) { names(rest.until("on")?) } else { Vec::new() })
    };
    rest.expect(&["on"])?;
    let table = rest.name()?;
    rest.take(&["for", "each", "row"]);
    let condition =
        if rest.take(&["when"]) { Some(scope::resolve(rest.until("begin")?, columns, depends_on)) } else { None };
    rest.expect(&["begin"])?;
    let end = rest.0.iter().rposition(|piece| piece.is("end"))?;
    let body = scope::resolve(&rest.0[..end], columns, depends_on);
    Some(Fact::Trigger(Trigger { time, event, table, condition, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(sql: &str) -> Vec<Fact> {
        let object = Object::new(ObjectKind::Table, "t".to_owned(), "t".to_owned());
        let mut facts = read(&object, sql, &|_| None).facts;
        facts.sort();
        facts
    }

    #[test]
    fn what_means_the_same_reads_the_same() {
        let one = "CREATE TABLE notes (\n  id TEXT NOT NULL PRIMARY KEY, -- the key\n  \
                   owner TEXT REFERENCES users (id) ON UPDATE NO ACTION ON DELETE CASCADE,\n  \
                   size INT DEFAULT (0) CHECK (size > 0),\n  tag TEXT UNIQUE COLLATE BINARY NOT NULL,\n  \
                   twice INT GENERATED ALWAYS AS (size * 2) VIRTUAL\n) STRICT, WITHOUT ROWID";
        let other = "CREATE TABLE \"Notes\" (id text primary key not null, \"owner\" TEXT, [size] INT CHECK(\"SIZE\">0) \
                     DEFAULT 0, tag TEXT NOT NULL, twice INT AS (`size`*2), CONSTRAINT fk FOREIGN KEY (owner) REFERENCES \
                     \"users\"(\"id\") ON DELETE CASCADE NOT DEFERRABLE CONSTRAINT u UNIQUE ('tag')) WITHOUT ROWID, STRICT";
        assert_eq!(facts(one), facts(other));
        let texts: Vec<String> = facts(one).iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
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
                "without rowid",
                "unique ( tag )",
            ]
        );
    }

    #[test]
    fn a_clause_about_when_a_key_is_checked_is_about_the_last_key() {
        let deferred = facts("CREATE TABLE t (a REFERENCES p NOT NULL, b DEFERRABLE INITIALLY DEFERRED)");
        assert_eq!(deferred, facts("CREATE TABLE t (a NOT NULL REFERENCES p DEFERRABLE INITIALLY DEFERRED, b)"));
        assert_ne!(deferred, facts("CREATE TABLE t (a NOT NULL REFERENCES p, b)"));
    }

    #[test]
    fn no_text_is_too_broken_to_be_read() {
        for sql in [
            "",
            "CREATE TABLE t (",
            "CREATE TABLE t (a DEFAULT",
            "CREATE TABLE t (a DEFAULT)",
            "CREATE TABLE t (,,a REFERENCES)",
            "CREATE TABLE t (a PRIMARY KEY, UNIQUE ())",
            "CREATE TABLE t (a, CHECK)",
            "CREATE TABLE t ())",
            "CREATE VIRTUAL TABLE t",
            "CREATE VIRTUAL TABLE t USING m(",
            "CREATE INDEX i ON t",
            "CREATE INDEX i ON t (desc)",
            "CREATE INDEX i ON t (a,,)",
            "CREATE VIEW v AS",
            "CREATE VIEW v AS SELECT \"x\" FROM main.",
            "CREATE VIEW v AS SELECT \"x\" FROM t.\"",
            "CREATE VIEW v AS ) FROM ( \"",
            "CREATE TRIGGER t",
            "CREATE TRIGGER t UPDATE OF",
            "CREATE TRIGGER t INSERT ON t BEGIN END",
            "CREATE TRIGGER t INSERT ON t BEGIN INSERT INTO \"t\" (\"a\") ON CONFLICT (",
            "'",
            "\"é",
            "[",
            "\"",
        ] {
            for kind in [ObjectKind::Table, ObjectKind::Index, ObjectKind::View, ObjectKind::Trigger] {
                let object = Object::new(kind, "t".to_owned(), "t".to_owned());
                read(&object, sql, &|_| Some(vec!["a".to_owned()]));
            }
        }
    }
}
