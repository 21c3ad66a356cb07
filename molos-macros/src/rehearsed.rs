//! What came of running the migrations: data for what is written out.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::Fingerprint;
use proc_macro2::TokenStream;

use crate::diagnostic::Diagnostic;
use crate::finding::{Finding, Taking};

/// The fingerprint of the schema that each version leads to.
pub(crate) type Fingerprints = BTreeMap<i64, Fingerprint>;

/// What is known once every migration was run.
#[derive(Default)]
pub(crate) struct Rehearsed {
    /// The structs for the schema that the migrations lead to.
    pub(crate) tables: TokenStream,
    pub(crate) fingerprints: Fingerprints,
    /// Everything that is wrong.
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) findings: Vec<Finding>,
    /// What could not be tried with rows.
    pub(crate) unproven: Vec<Unproven>,
    pub(crate) takes: BTreeMap<i64, Takes>,
}

/// What a migration takes from rows on either way.
#[derive(Default)]
pub(crate) struct Takes {
    pub(crate) up: BTreeSet<Taking>,
    pub(crate) down: BTreeSet<Taking>,
}

impl From<Diagnostic> for Rehearsed {
    fn from(error: Diagnostic) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }
}

/// What came of running them on rows.
#[derive(Default)]
pub(crate) struct Found {
    /// What no directive can allow.
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) unproven: Vec<Unproven>,
    /// What the ways back take from rows, by version.
    pub(crate) downs_take: BTreeMap<i64, BTreeSet<Taking>>,
}

/// A step that could not be tried with rows, and why.
pub(crate) struct Unproven {
    pub(crate) version: i64,
    pub(crate) reason: String,
}
