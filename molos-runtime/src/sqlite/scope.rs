//! What a word in double quotes is, in a query: a name where there is such a column, or else a string, whose case counts.
//!
//! <https://sqlite.org/quirks.html#double_quoted_string_literals_are_accepted>
//!
//! It is only taken for a name, in whatever case, where it is sure to be one. Otherwise it is kept as it was written.

use std::collections::BTreeSet;
use std::ops::Range;

use super::definition::{Columns, group};
use super::pieces::{Piece, Token};
use crate::schema::Expression;

/// The canonical form of a query, or of the statements of a trigger.
///
/// `depends_on` gets the tables whose columns were asked for.
pub(super) fn resolve(pieces: &[Piece<'_>], columns: &Columns<'_>, depends_on: &mut BTreeSet<String>) -> Expression {
    let mut names = vec![false; pieces.len()];
    let is_open = |piece: &Piece<'_>| matches!(piece.token, Token::Quoted { is_double: true, .. });
    if pieces.iter().any(is_open) {
        let tables = common_tables(pieces);
        let mut reader = Reader { pieces, columns, tables, depends_on, names: &mut names };
        reader.block(0..pieces.len(), &BTreeSet::new());
    }
    let token = |(at, piece): (usize, &Piece<'_>)| match &piece.token {
        Token::Quoted { is_double: true, .. } if !names[at] => piece.exact(),
        Token::Quoted { .. } => piece.as_name(),
        _ => piece.exact(),
    };
    Expression::new(&pieces.iter().enumerate().map(token).collect::<Vec<_>>())
}

/// Whether only a name can stand at this place of an expression.
pub(super) fn is_place_of_name(pieces: &[Piece<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| pieces.get(at));
    let after = pieces.get(at + 1);
    before.is_some_and(|piece| piece.is_sign(".") || piece.is_any(&["as", "collate"]))
        || after.is_some_and(|piece| piece.is_sign(".") || piece.is_sign("("))
}

/// The names that a `WITH` may give to queries, and some more: a table of such a name may not be the one that is meant.
fn common_tables(pieces: &[Piece<'_>]) -> BTreeSet<String> {
    if !pieces.iter().any(|piece| piece.is("with")) {
        return BTreeSet::new();
    }
    let pairs = pieces.windows(2).filter(|pair| pair[0].is_name() && (pair[1].is("as") || pair[1].is_sign("(")));
    pairs.map(|pair| pair[0].name()).collect()
}

struct Reader<'r, 's> {
    pieces: &'r [Piece<'s>],
    columns: &'r Columns<'r>,
    /// Names that are not those of tables.
    tables: BTreeSet<String>,
    depends_on: &'r mut BTreeSet<String>,
    /// Which pieces are sure to be names.
    names: &'r mut [bool],
}

/// What is known of one `SELECT` or other statement.
#[derive(Default)]
struct Select {
    /// The columns of the tables that it is about.
    columns: BTreeSet<String>,
    /// The names that it gives to values: they can be used after `FROM`.
    aliases: BTreeSet<String>,
    from: Option<usize>,
    /// Groups in parentheses in which its columns can be used.
    within: Vec<Range<usize>>,
    /// Those in which only the columns around it can be used.
    beside: Vec<Range<usize>>,
    /// Those in which there are none.
    apart: Vec<Range<usize>>,
    /// The table that rows are put into, and where its name ends.
    into: Option<(String, usize)>,
    /// From where on the columns of that table can be used.
    conflict: Option<(usize, BTreeSet<String>)>,
}

impl Reader<'_, '_> {
    /// Reads statements, or the parts of a compound one: the tables of one are not those of another.
    fn block(&mut self, range: Range<usize>, outer: &BTreeSet<String>) {
        let mut start = range.start;
        let mut at = range.start;
        while at < range.end {
            if let Some(len) = group(&self.pieces[at..range.end]) {
                at += len;
                continue;
            }
            let piece = &self.pieces[at];
            if piece.is_sign(";") || piece.is_any(&["union", "except", "intersect"]) {
                self.select(start..at, outer);
                start = at + 1;
            }
            at += 1;
        }
        self.select(start..range.end, outer);
    }

    fn select(&mut self, range: Range<usize>, outer: &BTreeSet<String>) {
        let select = self.survey(range.clone());
        let mut own = outer.clone();
        own.extend(select.columns.iter().cloned());
        let mut at = range.start;
        while at < range.end {
            if let Some(len) = group(&self.pieces[at..range.end]) {
                at += len;
                continue;
            }
            if let Token::Quoted { name, is_double: true } = &self.pieces[at].token {
                let name = name.to_ascii_lowercase();
                let is_alias = || select.from.is_some_and(|from| from < at) && select.aliases.contains(&name);
                let is_known = match &select.conflict {
                    Some((from, known)) if *from < at => known.contains(&name),
                    _ => own.contains(&name) || is_alias(),
                };
                self.names[at] |= is_known || is_place_of_name(self.pieces, at) || self.follows_value(at, range.start);
            }
            at += 1;
        }
        for range in select.within {
            match &select.conflict {
                Some((from, known)) if *from < range.start => self.block(range, known),
                _ => self.block(range, &own),
            }
        }
        select.beside.into_iter().for_each(|range| self.block(range, outer));
        select.apart.into_iter().for_each(|range| self.block(range, &BTreeSet::new()));
    }

    /// Whether what stands before is a value, so that this is its alias.
    fn follows_value(&self, at: usize, start: usize) -> bool {
        at > start
            && self.pieces.get(at - 1).is_some_and(|piece| match &piece.token {
                Token::Sign(sign) => sign == ")",
                Token::Literal(_) | Token::String(_) => true,
                Token::Word(_) | Token::Quoted { .. } => piece.is_name(),
            })
    }

    /// Finds out which tables a statement is about.
    fn survey(&mut self, range: Range<usize>) -> Select {
        let mut found = Select::default();
        // Whether the next name is that of a table.
        let mut expects_table = false;
        let mut in_from = false;
        let mut at = range.start;
        while at < range.end {
            let piece = &self.pieces[at];
            if let Some(len) = group(&self.pieces[at..range.end]) {
                let inner = at + 1..at + len - 1;
                let before = at.checked_sub(1).filter(|before| *before >= range.start).map(|at| &self.pieces[at]);
                if expects_table {
                    found.beside.push(inner);
                } else if before.is_some_and(|piece| piece.is_any(&["as", "materialized"])) {
                    found.apart.push(inner);
                } else if found.into.as_ref().is_some_and(|(_, end)| *end == at) {
                    // The columns that rows are put into.
                    inner.filter(|at| matches!(self.pieces[*at].token, Token::Quoted { .. })).for_each(|at| {
                        self.names[at] = true;
                    });
                } else {
                    found.within.push(inner);
                }
                expects_table = false;
                at += len;
                continue;
            }
            if expects_table && piece.is_name() {
                at = self.table(at, range.end, &mut found);
                expects_table = false;
                continue;
            }
            if piece.is("as") && self.pieces.get(at + 1).is_some_and(Piece::is_name) && !in_from {
                found.aliases.insert(self.pieces[at + 1].name());
            }
            // `IS DISTINCT FROM` is an operator.
            let begins_from = piece.is("from") && !at.checked_sub(1).is_some_and(|at| self.pieces[at].is("distinct"));
            if begins_from {
                found.from.get_or_insert(at);
            }
            if piece.is("conflict")
                && let Some((into, _)) = &found.into
            {
                let known = self.columns_of(into).into_iter().collect();
                found.conflict.get_or_insert((at, known));
            }
            if begins_from || piece.is("join") {
                (in_from, expects_table) = (true, true);
            } else if piece.is("into") || (piece.is("update") && at == range.start) {
                expects_table = true;
            } else if piece.is_any(&["where", "group", "order", "having", "limit", "window", "set", "values", "select"])
            {
                (in_from, expects_table) = (false, false);
            } else if piece.is_sign(",") {
                expects_table = in_from;
            } else if piece.is("or") && expects_table {
                // `UPDATE OR IGNORE`
                at += 1;
            }
            at += 1;
        }
        found
    }

    /// Reads the name of a table. Returns where it ends.
    fn table(&mut self, at: usize, end: usize, found: &mut Select) -> usize {
        let is_put_into = at.checked_sub(1).is_some_and(|before| self.pieces[before].is("into"));
        let next_is = |at: usize, sign: &str| at + 1 < end && self.pieces[at + 1].is_sign(sign);
        self.names[at] = true;
        if next_is(at, ".") {
            // It is in another database, or named as if it were.
            if let Some(name) = self.names.get_mut(at + 2) {
                *name = true;
            }
            return at + 3;
        }
        let name = self.pieces[at].name();
        if is_put_into {
            found.into = Some((name, at + 1));
        } else if !next_is(at, "(") {
            found.columns.extend(self.columns_of(&name));
        }
        at + 1
    }

    fn columns_of(&mut self, table: &str) -> Vec<String> {
        self.depends_on.insert(table.to_owned());
        if self.tables.contains(table) { Vec::new() } else { (self.columns)(table).unwrap_or_default() }
    }
}
