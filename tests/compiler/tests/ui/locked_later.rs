molos::embed_migrations!("ui/locked_later");

fn main() {}
