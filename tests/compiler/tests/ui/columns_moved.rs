molos::embed_migrations!("ui/columns_moved");

fn main() {}
