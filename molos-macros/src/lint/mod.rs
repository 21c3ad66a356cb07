//! What may be wrong with a migration that can still be changed, and what is made of it.

pub(crate) mod finding;
pub(crate) mod left_out;
pub(crate) mod loss;
pub(crate) mod needless;
pub(crate) mod settle;
