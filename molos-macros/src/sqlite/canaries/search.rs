//! Which values are tried together until every constraint of a table takes them.

use std::collections::BTreeMap;

/// Which of its values a column has, or the columns of a foreign key have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Choice {
    /// So many after the first.
    Nth(usize),
    /// `NULL`.
    Null,
    /// For a foreign key, a row that is made for it.
    NewParent,
    #[default]
    First,
}

/// What there is to choose from, for a column or a foreign key.
pub(super) struct Choices {
    /// The column, or the first of the key's, by its place in the table.
    pub(super) of: usize,
    /// How many values there are.
    pub(super) values: usize,
    pub(super) may_be_null: bool,
    pub(super) may_be_new: bool,
}

/// What was chosen for columns and keys.
pub(super) type Chosen = BTreeMap<usize, Choice>;

/// A search for values that fulfil every constraint: those that one constraint is about are combined anew each time that
/// it stands against a row.
#[derive(Default)]
pub(super) struct Search {
    chosen: Chosen,
    /// A column that is not to be `NULL`, even if it may.
    needed: Option<usize>,
    /// By what a constraint says, the combinations that were not tried yet.
    walks: BTreeMap<String, std::vec::IntoIter<Vec<(usize, Choice)>>>,
}

/// How many combinations are tried for one constraint.
const MOST: usize = 400;

impl Search {
    /// One that tries first what fulfilled every constraint before.
    pub(super) fn beginning_with(mut chosen: Chosen) -> Self {
        // No row was made for this one.
        chosen.retain(|_, choice| *choice != Choice::NewParent);
        Self { chosen, ..Self::default() }
    }

    /// One for a row with a value in this column.
    pub(super) fn needing(column: usize) -> Self {
        Self { needed: Some(column), ..Self::default() }
    }

    /// What was chosen last.
    pub(super) fn into_chosen(self) -> Chosen {
        self.chosen
    }

    /// What was chosen last for a column or a key.
    pub(super) fn choice(&self, of: usize) -> Choice {
        self.chosen.get(&of).copied().unwrap_or_default()
    }

    /// Chooses other values for what a constraint is about. Returns what has changed; nothing is left if that is `None`.
    pub(super) fn go_on(
        &mut self,
        constraint: &str,
        about: impl FnOnce() -> Vec<Choices>,
    ) -> Option<Vec<(usize, Choice)>> {
        if !self.walks.contains_key(constraint) {
            let mut about = about();
            about.iter_mut().filter(|it| Some(it.of) == self.needed).for_each(|it| it.may_be_null = false);
            let combinations = combinations(&about, constraint.starts_with("CHECK"));
            self.walks.insert(constraint.to_owned(), combinations.into_iter());
        }
        let walk = self.walks.get_mut(constraint)?;
        let mut next = walk.next()?;
        if next.iter().all(|(of, choice)| self.chosen.get(of).copied().unwrap_or_default() == *choice) {
            next = walk.next()?;
        }
        self.chosen.extend(next.iter().copied());
        Some(next)
    }
}

/// Every combination of choices, those first that are close to the first of each.
fn combinations(about: &[Choices], is_check: bool) -> Vec<Vec<(usize, Choice)>> {
    let choices: Vec<(usize, Vec<Choice>)> = about
        .iter()
        .map(|choices| {
            let mut all = vec![Choice::First];
            all.extend((1..choices.values).map(Choice::Nth));
            all.extend(choices.may_be_new.then_some(Choice::NewParent));
            // A check over several columns is often about which of them have a value.
            let at = if is_check && about.len() > 1 { 1 } else { all.len() };
            all.splice(at..at, choices.may_be_null.then_some(Choice::Null));
            (choices.of, all)
        })
        .collect();
    let farthest = choices.iter().map(|(_, all)| all.len() - 1).sum();
    let mut combinations = Vec::new();
    for distance in 0..=farthest {
        combine(&choices, distance, &mut Vec::new(), &mut combinations);
        if combinations.len() >= MOST {
            break;
        }
    }
    combinations
}

/// Adds the combinations whose choices are so far from the first of each in sum.
fn combine(
    choices: &[(usize, Vec<Choice>)],
    distance: usize,
    so_far: &mut Vec<(usize, Choice)>,
    combinations: &mut Vec<Vec<(usize, Choice)>>,
) {
    let [(of, all), rest @ ..] = choices else {
        if distance == 0 {
            combinations.push(so_far.clone());
        }
        return;
    };
    let farthest: usize = rest.iter().map(|(_, all)| all.len() - 1).sum();
    for (place, choice) in all.iter().enumerate().take(distance + 1).skip(distance.saturating_sub(farthest)) {
        if combinations.len() >= MOST {
            return;
        }
        so_far.push((*of, *choice));
        combine(rest, distance - place, so_far, combinations);
        so_far.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::Choice::{First, NewParent, Nth, Null};
    use super::*;

    fn choices(of: usize, values: usize, may_be_null: bool) -> Choices {
        Choices { of, values, may_be_null, may_be_new: false }
    }

    #[test]
    fn every_combination_is_tried_once_beginning_with_the_closest() {
        let pairs: Vec<_> = combinations(&[choices(0, 2, false), choices(1, 2, true)], true)
            .into_iter()
            .map(|pair| (pair[0].1, pair[1].1))
            .collect();
        assert_eq!(
            pairs,
            [(First, First), (First, Null), (Nth(1), First), (First, Nth(1)), (Nth(1), Null), (Nth(1), Nth(1))]
        );
        let one = combinations(&[Choices { may_be_new: true, ..choices(3, 2, true) }], true);
        assert_eq!(one.concat(), [(3, First), (3, Nth(1)), (3, NewParent), (3, Null)]);
        assert_eq!(combinations(&[choices(0, 1_000, false), choices(1, 1_000, false)], true).len(), MOST);
    }

    #[test]
    fn each_constraint_goes_on_where_it_was() {
        let mut search = Search::default();
        let about = || vec![choices(0, 3, false)];
        assert_eq!(search.go_on("CHECK a", about), Some(vec![(0, Nth(1))]));
        assert_eq!(search.go_on("CHECK b", || vec![choices(1, 2, false)]), Some(vec![(1, Nth(1))]));
        assert_eq!(search.go_on("CHECK a", about), Some(vec![(0, Nth(2))]));
        assert_eq!((search.choice(0), search.choice(1), search.choice(2)), (Nth(2), Nth(1), First));
        assert_eq!(search.go_on("CHECK a", about), None);
    }
}
