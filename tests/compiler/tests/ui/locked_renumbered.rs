molos::embed_migrations!("ui/locked_renumbered");

fn main() {}
