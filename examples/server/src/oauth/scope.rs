//! Scopes: `tasks:write notes:read`, modules and levels. Nothing of the core can be had in this way.

use std::collections::BTreeMap;
use std::fmt;

use crate::access::Level;
use crate::modules;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(BTreeMap<String, Level>);

impl Scope {
    /// `None` if it is empty, or names what there is not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut levels = BTreeMap::new();
        for part in text.split_ascii_whitespace() {
            let (module, level) = part.split_once(':')?;
            let module = modules::find(module).ok()?;
            let level = Level::of_name(level)?;
            let granted = levels.entry(module.id.to_owned()).or_insert(level);
            *granted = level.max(*granted);
        }
        (!levels.is_empty()).then_some(Self(levels))
    }

    #[must_use]
    pub fn allows(&self, module: &str, level: Level) -> bool {
        self.0.get(module).is_some_and(|granted| *granted >= level)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Level)> {
        self.0.iter().map(|(module, level)| (&**module, *level))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.iter().map(|(module, level)| format!("{module}:{level}")).collect();
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_names_modules_and_levels_and_nothing_else() {
        for text in ["", " ", "tasks", "tasks:", "tasks:owner", "core:admin", "*:read", "keys:read", "tasks:read x"] {
            assert_eq!(Scope::parse(text), None, "{text:?}");
        }
        let scope = Scope::parse("tasks:write notes:read tasks:read").expect("a scope");
        assert_eq!(scope.to_string(), "notes:read tasks:write");
        assert!(scope.allows("tasks", Level::Read) && scope.allows("tasks", Level::Write));
        assert!(!scope.allows("tasks", Level::Admin) && !scope.allows("notes", Level::Write));
        assert!(!scope.allows("core", Level::Read));
    }
}
