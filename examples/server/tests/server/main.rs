//! What the server does, and what it does not.

mod health;
mod support;
