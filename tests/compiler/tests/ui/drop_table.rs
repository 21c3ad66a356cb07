molos::embed_migrations!("ui/drop_table");

fn main() {}
