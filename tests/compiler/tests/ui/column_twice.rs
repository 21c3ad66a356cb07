molos::embed_migrations!("ui/column_twice");

fn main() {}
