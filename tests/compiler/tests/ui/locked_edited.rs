molos::embed_migrations!("ui/locked_edited");

fn main() {}
