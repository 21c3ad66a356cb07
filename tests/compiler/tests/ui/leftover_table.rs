molos::embed_migrations!("ui/leftover_table");

fn main() {}
