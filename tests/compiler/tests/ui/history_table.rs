molos::embed_migrations!("ui/history_table");

fn main() {}
