molos::embed_migrations!("ui/temporary_table");

fn main() {}
