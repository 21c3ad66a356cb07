//! What the server does, and what it does not.

mod access;
mod access_property;
mod admin;
mod browser;
mod chromium;
mod commands;
mod health;
mod keys;
mod log;
mod modules;
mod oauth;
mod process;
mod processes;
mod sessions;
mod support;
