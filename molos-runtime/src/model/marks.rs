//! The comments of other tools that say which statements of a file go up, and which down.

use super::migration::Direction;

/// The tool whose comments stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Marks {
    /// `-- +goose Up`
    Goose,
    /// `-- migrate:up`
    Dbmate,
    /// `-- +migrate Up`
    SqlMigrate,
}

impl Marks {
    /// The comment that begins this section.
    #[must_use]
    pub const fn section(self, direction: Direction) -> &'static str {
        match (self, direction) {
            (Self::Goose, Direction::Up) => "-- +goose Up",
            (Self::Goose, Direction::Down) => "-- +goose Down",
            (Self::Dbmate, Direction::Up) => "-- migrate:up",
            (Self::Dbmate, Direction::Down) => "-- migrate:down",
            (Self::SqlMigrate, Direction::Up) => "-- +migrate Up",
            (Self::SqlMigrate, Direction::Down) => "-- +migrate Down",
        }
    }
}

/// What a comment says of the file it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// From here on it is this way.
    Section {
        /// Whose mark it is.
        marks: Marks,
        /// The way.
        direction: Direction,
        /// Whether the section is to be run outside of a transaction.
        no_transaction: bool,
    },
    /// The whole file is to be run outside of a transaction.
    NoTransaction,
    /// Where a statement begins or ends, and others that change nothing.
    Plain,
    /// Variables of the environment are to be put into the statements.
    Variables,
    /// It is no mark that is read, and looks like one: for this way, if it says that.
    Unknown(Option<Direction>),
    /// So is this, if there are others in the file: it may also be a remark.
    Doubtful(Direction),
}

/// Reads a comment.
#[must_use]
pub fn mark(comment: &str) -> Option<Mark> {
    let line = comment.strip_prefix("--").map(str::trim);
    line.and_then(|line| goose(line).or_else(|| dbmate(line)))
        .or_else(|| sql_migrate(comment))
        .or_else(|| resembling(comment))
}

fn goose(line: &str) -> Option<Mark> {
    let command = line.strip_prefix("+goose")?.trim().to_ascii_lowercase();
    let section = |direction| Mark::Section { marks: Marks::Goose, direction, no_transaction: false };
    Some(match command.as_str() {
        "up" => section(Direction::Up),
        "down" => section(Direction::Down),
        "no transaction" => Mark::NoTransaction,
        "statementbegin" | "statementend" | "envsub off" => Mark::Plain,
        "envsub on" => Mark::Variables,
        _ => return None,
    })
}

fn dbmate(line: &str) -> Option<Mark> {
    let mut words =
        line.strip_prefix("migrate:").filter(|rest| !rest.starts_with(char::is_whitespace))?.split_whitespace();
    let direction = match words.next()? {
        "up" => Direction::Up,
        "down" => Direction::Down,
        _ => return None,
    };
    let no_transaction = words.any(|word| word == "transaction:false");
    Some(Mark::Section { marks: Marks::Dbmate, direction, no_transaction })
}

fn sql_migrate(comment: &str) -> Option<Mark> {
    let mut words = comment.strip_prefix("-- +migrate ")?.split_whitespace();
    let direction = match words.next()? {
        "Up" => Direction::Up,
        "Down" => Direction::Down,
        "StatementBegin" | "StatementEnd" => return Some(Mark::Plain),
        _ => return None,
    };
    let no_transaction = words.any(|word| word == "notransaction");
    Some(Mark::Section { marks: Marks::SqlMigrate, direction, no_transaction })
}

/// Words that stand before the direction in the marks of one tool or another.
const TOOLS: [&str; 7] = ["goose", "migrate", "micrate", "rambler", "dbmate", "sql-migrate", "migration"];

/// What stands before a word of a mark.
const SIGILS: [char; 3] = ['+', '@', '!'];

/// Tells what is no mark of a tool that is read, and looks like one.
fn resembling(comment: &str) -> Option<Mark> {
    let text = comment.trim_start_matches("/*").trim_end_matches("*/");
    let text = text.trim_matches(|c: char| c.is_whitespace() || "-=*#/".contains(c)).to_ascii_lowercase();
    if text == "create above / drop below" {
        return Some(Mark::Unknown(Some(Direction::Down)));
    }
    let has_sigil = text.starts_with(SIGILS);
    let is_joined = |first: &str| {
        text.trim_start_matches(SIGILS)
            .strip_prefix(first)
            .is_some_and(|rest| rest.strip_prefix(':').is_some_and(|rest| !rest.starts_with(char::is_whitespace)))
    };
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c == ':').filter(|word| !word.is_empty()).collect();
    let first = words.first()?.trim_start_matches(SIGILS);
    let is_option =
        |word: &&str| ["transaction", "notransaction", "false", "true"].contains(word) || word.contains('=');
    let (place, is_tool) = match (direction(first), words.get(1).and_then(|word| direction(word))) {
        (Some(direction), _) => (Some((direction, 1)), false),
        (None, Some(direction)) => {
            (Some((direction, 2)), text.starts_with('+') || is_joined(first) || TOOLS.contains(&first))
        }
        (None, None) => (None, false),
    };
    // A tool's own word says that it is a mark, whatever comes after it.
    let is_of_tool = text.starts_with('+') && TOOLS.contains(&first);
    let Some((direction, length)) = place else { return is_of_tool.then_some(Mark::Unknown(None)) };
    let rest = words.get(length..).unwrap_or_default();
    if is_of_tool || (rest.iter().all(is_option) && (is_tool || (length == 1 && has_sigil))) {
        return Some(Mark::Unknown(Some(direction)));
    }
    let is_bare = length == 1 && (rest.is_empty() || rest == ["migration"] || rest == ["section"]);
    is_bare.then_some(Mark::Doubtful(direction))
}

fn direction(word: &str) -> Option<Direction> {
    match word.trim_start_matches(SIGILS) {
        "up" | "ups" | "do" => Some(Direction::Up),
        "down" | "downs" | "undo" => Some(Direction::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_three_tools_are_read() {
        use Direction::{Down, Up};
        let section = |marks, direction, no_transaction| Some(Mark::Section { marks, direction, no_transaction });
        assert_eq!(mark("-- +goose Up"), section(Marks::Goose, Up, false));
        assert_eq!(mark("--+goose down"), section(Marks::Goose, Down, false));
        assert_eq!(mark("-- migrate:down"), section(Marks::Dbmate, Down, false));
        assert_eq!(mark("-- migrate:up transaction:false"), section(Marks::Dbmate, Up, true));
        assert_eq!(mark("-- +migrate Up"), section(Marks::SqlMigrate, Up, false));
        assert_eq!(mark("-- +migrate Down notransaction"), section(Marks::SqlMigrate, Down, true));
        assert_eq!(mark("-- +migrate StatementBegin"), Some(Mark::Plain));
        assert_eq!(mark("-- +goose NO TRANSACTION"), Some(Mark::NoTransaction));
        assert_eq!(mark("-- +goose ENVSUB ON"), Some(Mark::Variables));
        for marks in [Marks::Goose, Marks::Dbmate, Marks::SqlMigrate] {
            assert_eq!(mark(marks.section(Down)), section(marks, Down, false));
        }
    }

    #[test]
    fn what_looks_like_a_mark_is_told_from_remarks() {
        let unknown = [
            "-- +micrate Up",
            "-- MIGRATE:UP",
            "-- Migrate:Down",
            "--migrate: up",
            "-- migrate :up",
            "/* +goose Up */",
            "/* migrate:down */",
            "-- +migrate up",
            "--+migrate Up",
            "-- +goose Upp",
            "-- +goose",
            "-- @UP",
            "-- //@UNDO",
            "-- rambler up",
            "-- +duckdb Up",
            "--- !Ups",
            "-- !Downs",
            "---- create above / drop below ----",
            "-- @undo",
            "-- dbmate:up",
            "-- flywheel:down",
        ];
        for comment in unknown {
            assert!(matches!(mark(comment), Some(Mark::Unknown(_))), "{comment}: {:?}", mark(comment));
        }
        for comment in ["-- Down", "-- UP", "-- Down Migration", "/* undo */", "-- ==== down ===="] {
            assert!(matches!(mark(comment), Some(Mark::Doubtful(_))), "{comment}: {:?}", mark(comment));
        }
        let remarks = [
            "-- up to here all is well",
            "-- migrate the old rows",
            "-- migrate: up to date",
            "-- +1 for this",
            "-- @author up",
            "-- note: down",
            "-- do not run this twice",
            "-- see issue: down there",
            "--",
            "/**/",
            "--> statement-breakpoint",
        ];
        for comment in remarks {
            assert_eq!(mark(comment), None, "{comment}");
        }
    }
}
