molos::embed_migrations!("ui/rename_table");

fn main() {}
