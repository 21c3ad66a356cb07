molos::embed_migrations!("ui/inexact_down");

fn main() {}
