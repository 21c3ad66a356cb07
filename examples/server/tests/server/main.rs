//! What the server does, and what it does not.

mod access;
mod access_property;
mod admin;
mod browser;
mod health;
mod keys;
mod modules;
mod oauth;
mod sessions;
mod support;
