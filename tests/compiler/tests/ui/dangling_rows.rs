molos::embed_migrations!("ui/dangling_rows");

fn main() {}
