molos::embed_migrations!("ui/rename_column");

fn main() {}
