molos::embed_migrations!("ui/locked_removed");

fn main() {}
