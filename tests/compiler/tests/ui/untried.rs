#![deny(warnings)]

molos::embed_migrations!("ui/untried");

fn main() {}
