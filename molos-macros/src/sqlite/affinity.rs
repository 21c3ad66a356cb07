//! SQLite's rules for the types of columns: <https://sqlite.org/datatype3.html#determination_of_column_affinity>

/// What a column makes of the values that are put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

/// The affinity of a column that is declared so, in lower case.
pub(crate) fn affinity(declared: &str) -> Affinity {
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    match () {
        () if has(&["int"]) => Affinity::Integer,
        () if has(&["char", "clob", "text"]) => Affinity::Text,
        () if declared.is_empty() || has(&["blob"]) => Affinity::Blob,
        () if has(&["real", "floa", "doub"]) => Affinity::Real,
        () => Affinity::Numeric,
    }
}

/// Whether a column that is declared as the first can hold values that one that is declared as the second cannot.
pub(crate) fn is_narrower(before: &str, after: &str) -> bool {
    match (affinity(before), affinity(after)) {
        (Affinity::Numeric, Affinity::Integer) if matches!(before, "bool" | "boolean") => false,
        (_, Affinity::Text | Affinity::Blob) | (Affinity::Integer | Affinity::Real, Affinity::Numeric) => false,
        (before, after) => before != after,
    }
}

#[cfg(test)]
mod tests {
    use super::is_narrower;

    #[test]
    fn what_is_narrower() {
        for (before, after) in [("text", "integer"), ("real", "integer"), ("decimal(10,2)", "integer"), ("", "int")] {
            assert!(is_narrower(before, after), "{before} {after}");
            assert!(!is_narrower(after, after), "{after}");
        }
        for (before, after) in [("boolean", "integer"), ("bool", "int"), ("integer", "boolean"), ("integer", "text")] {
            assert!(!is_narrower(before, after), "{before} {after}");
        }
    }
}
