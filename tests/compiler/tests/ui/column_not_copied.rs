molos::embed_migrations!("ui/column_not_copied");

fn main() {}
