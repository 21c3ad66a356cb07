molos::embed_migrations!("ui/locked_schema");

fn main() {}
