molos::embed_migrations!("ui/locked_newer");

fn main() {}
