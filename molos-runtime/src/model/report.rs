//! What was done, and where every migration stands: for people, with [`Display`](fmt::Display), and for programs.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::history::Applied;
use super::migration::Direction;

/// What a call ran.
#[derive(Clone, Debug)]
pub struct Report {
    direction: Direction,
    steps: Vec<StepReport>,
    /// How many sets it is about.
    sets: usize,
}

/// One migration that was run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StepReport {
    /// The set it belongs to.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Report {
    pub(crate) const fn new(direction: Direction, steps: Vec<StepReport>, sets: usize) -> Self {
        Self { direction, steps, sets }
    }

    /// What ran, in this order; empty when there was nothing to do.
    #[must_use]
    pub fn steps(&self) -> &[StepReport] {
        &self.steps
    }

    /// Which way it ran.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }
}

/// One line when there was nothing to do, else a line for each migration, with its set if there are several.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str(match self.direction {
                Direction::Up => "up to date",
                Direction::Down => "nothing to roll back",
            });
        }
        let verb = match self.direction {
            Direction::Up => "applied",
            Direction::Down => "rolled back",
        };
        let plural = if self.steps.len() == 1 { "" } else { "s" };
        write!(f, "{verb} {} migration{plural}", self.steps.len())?;
        for step in &self.steps {
            let set = SetName::of_several(self.sets, &step.set);
            write!(f, "\n  {set}{} {}  {}", step.version, step.name, Milliseconds(step.elapsed))?;
        }
        Ok(())
    }
}

/// The name of a set before what is said of it, where it says more than that there is one.
pub(crate) struct SetName<'s>(Option<&'s str>);

impl<'s> SetName<'s> {
    pub(crate) fn of_several(sets: usize, name: &'s str) -> Self {
        Self((sets > 1).then_some(name))
    }
}

impl fmt::Display for SetName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "{name} "))
    }
}

/// Where one migration stands in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Applied, and the same as in this binary.
    Applied,
    /// Not applied yet.
    Pending,
    /// Not applied, though later ones are.
    OutOfOrder,
    /// Applied with another checksum.
    Edited,
    /// Applied under another name.
    Renamed,
    /// Applied, and not in this binary.
    Unknown,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::OutOfOrder => "out of order",
            Self::Edited => "edited",
            Self::Renamed => "renamed",
            Self::Unknown => "unknown",
        })
    }
}

/// One migration and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepStatus {
    /// Its version.
    pub version: i64,
    /// Its name: the database's if it is applied, else the binary's.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// What the history says of it, if it is applied.
    pub applied: Option<Applied>,
    /// Whether a function of the program belongs to it.
    pub has_hook: bool,
    /// Whether this binary has a down migration for it. What is [`Unknown`](State::Unknown) may have one in the database, see
    /// [`Migrator::downgrade`](crate::Migrator::downgrade).
    pub has_down: bool,
}

impl StepStatus {
    pub(crate) fn new(version: i64, name: &str, state: State, applied: Option<&Applied>) -> Self {
        Self { version, name: name.to_owned(), state, applied: applied.cloned(), has_hook: false, has_down: false }
    }
}

/// Where every migration of every set stands in a database.
#[derive(Clone, Debug)]
pub struct Status {
    sets: Vec<SetStatus>,
}

/// Where every migration of one set stands in a database.
#[derive(Clone, Debug)]
pub struct SetStatus {
    set: String,
    steps: Vec<StepStatus>,
}

impl Status {
    pub(crate) const fn new(sets: Vec<SetStatus>) -> Self {
        Self { sets }
    }

    /// Each set, in the order in which they are applied.
    #[must_use]
    pub fn sets(&self) -> &[SetStatus] {
        &self.sets
    }

    /// The set of this name, if it is one of those that were asked for.
    #[must_use]
    pub fn set(&self, name: &str) -> Option<&SetStatus> {
        self.sets.iter().find(|set| set.set == name)
    }

    /// Every migration of every set, set by set.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &StepStatus> {
        self.sets.iter().flat_map(SetStatus::steps)
    }

    /// How many migrations are not applied yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.sets.iter().map(SetStatus::pending).sum()
    }

    /// Whether everything is applied, and is what it was.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.sets.iter().all(SetStatus::is_up_to_date)
    }
}

impl SetStatus {
    pub(crate) fn new(set: &str, steps: Vec<StepStatus>) -> Self {
        Self { set: set.to_owned(), steps }
    }

    /// The set's name.
    #[must_use]
    pub fn set(&self) -> &str {
        &self.set
    }

    /// Every migration of the binary or the database, in the order of their versions.
    #[must_use]
    pub fn steps(&self) -> &[StepStatus] {
        &self.steps
    }

    /// The newest version that is applied.
    #[must_use]
    pub fn current(&self) -> Option<i64> {
        self.steps.iter().rev().find(|step| step.applied.is_some()).map(|step| step.version)
    }

    /// How many migrations are not applied yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.steps.iter().filter(|step| step.applied.is_none()).count()
    }

    /// Whether everything is applied, and is what it was.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.steps.iter().all(|step| step.state == State::Applied)
    }
}

/// As each set is displayed; if there are several, each below its name.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sets.as_slice() {
            [] => f.write_str("no migrations"),
            [set] => set.fmt(f),
            sets => {
                for (i, set) in sets.iter().enumerate() {
                    let separator = if i == 0 { "" } else { "\n" };
                    let steps = set.to_string().replace('\n', "\n  ");
                    write!(f, "{separator}{}\n  {steps}", set.set)?;
                }
                Ok(())
            }
        }
    }
}

/// A line for each migration: version, name, state, and for applied ones when (UTC) and how long it took.
impl fmt::Display for SetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("no migrations");
        }
        let version_width = self.steps.iter().map(|step| step.version.to_string().len()).max().unwrap_or(0);
        let name_width = self.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        for (i, step) in self.steps.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            let StepStatus { version, name, state, applied, has_hook, .. } = step;
            write!(f, "{separator}{version:version_width$} {name:name_width$}  ")?;
            match applied {
                None => state.fmt(f)?,
                Some(applied) => {
                    let (at, duration) = (UtcTime(applied.applied_at), Milliseconds(applied.duration));
                    write!(f, "{state:<12}  {at}  {duration}")?;
                }
            }
            if *has_hook {
                f.write_str("  with a hook")?;
            }
        }
        Ok(())
    }
}

/// A duration in milliseconds, in as many digits as a person reads.
#[derive(Clone, Copy, Debug)]
pub struct Milliseconds(pub Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The formatting of floating-point numbers would be a large part of a small program.
        let rounded = self.0.saturating_add(Duration::from_micros(50));
        let milliseconds = rounded.as_secs().saturating_mul(1000).saturating_add(rounded.subsec_millis().into());
        write!(f, "{milliseconds}.{} ms", rounded.subsec_micros() / 100 % 10)
    }
}

/// Unix seconds as a person reads a time, `2026-11-24T01:34:00Z`.
#[derive(Clone, Copy, Debug)]
pub struct UtcTime(pub i64);

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const YEAR_10000: u64 = 253_402_300_800;
        match u64::try_from(self.0) {
            Ok(seconds) if seconds < YEAR_10000 => {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
                write!(f, "{}", humantime::format_rfc3339_seconds(time))
            }
            _ => write!(f, "at {} unix seconds", self.0),
        }
    }
}

/// A duration in seconds, for a person.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = u64::from(self.0.subsec_millis() / 100);
        match (self.0.as_secs(), tenths) {
            (seconds, 0) => write!(f, "{seconds} s"),
            (seconds, tenth) => write!(f, "{seconds}.{tenth} s"),
        }
    }
}
