//! What may be wrong with a migration that can still be changed.

use molos_runtime::Direction;

use crate::diagnostic::Diagnostic;

pub(crate) const BROKEN_REFERENCE: &str = "broken-reference";
pub(crate) const DATA_LOSS: &str = "data-loss";
pub(crate) const DROP_COLUMN: &str = "drop-column";
pub(crate) const DROP_TABLE: &str = "drop-table";
pub(crate) const DROP_UNIQUE: &str = "drop-unique";
pub(crate) const FAILS_ON_ROWS: &str = "fails-on-rows";
pub(crate) const INEXACT_DOWN: &str = "inexact-down";
pub(crate) const LEFT_OUT: &str = "left-out";
pub(crate) const LEFTOVER_TABLE: &str = "leftover-table";
pub(crate) const NARROW_TYPE: &str = "narrow-type";
pub(crate) const NEEDLESS: &str = "needless";
pub(crate) const RENAME_COLUMN: &str = "rename-column";
pub(crate) const RENAME_TABLE: &str = "rename-table";
pub(crate) const SEQUENCE_RESET: &str = "sequence-reset";
pub(crate) const UNTRIED: &str = "untried";

/// What a file can allow.
pub(crate) const LINTS: &[&str] = &[
    BROKEN_REFERENCE,
    DATA_LOSS,
    DROP_COLUMN,
    DROP_TABLE,
    DROP_UNIQUE,
    FAILS_ON_ROWS,
    INEXACT_DOWN,
    LEFT_OUT,
    LEFTOVER_TABLE,
    NARROW_TYPE,
    NEEDLESS,
    RENAME_COLUMN,
    RENAME_TABLE,
    SEQUENCE_RESET,
    UNTRIED,
];

/// Those that can be about nothing but the file that they are found in.
pub(crate) const WITHOUT_SUBJECT: &[&str] = &[FAILS_ON_ROWS, INEXACT_DOWN];

/// Those that are about a table, or about nothing but the file that they are found in.
pub(crate) const MAY_HAVE_SUBJECT: &[&str] = &[UNTRIED];

/// What a finding is to the compiler if no option says it.
pub(crate) fn default_level(lint: &str) -> Level {
    if lint == UNTRIED { Level::Warn } else { Level::Deny }
}

/// What a finding is to the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Deny,
    Warn,
    Allow,
}

/// Something wrong with a migration that can still be changed; one that has shipped may have to be lived with.
pub(crate) struct Finding {
    pub(crate) version: i64,
    pub(crate) direction: Direction,
    /// What kind of thing it is.
    pub(crate) lint: &'static str,
    /// What it is about: `users.name`, say.
    pub(crate) subject: String,
    /// The table whose rows are lost, or the table and the column whose values are.
    pub(crate) takes: Option<Loss>,
    /// The statement of the script that does it, if it is known.
    pub(crate) place: Option<usize>,
    pub(crate) diagnostic: Diagnostic,
}

/// A table, or a table and one of its columns.
pub(crate) type Loss = (String, Option<String>);

impl Finding {
    /// The kind and the subject, as a directive and the lock write them.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.lint, self.subject).trim_end().to_owned()
    }
}
