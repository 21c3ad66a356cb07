molos::embed_migrations!("ui/locked_renamed");

fn main() {}
