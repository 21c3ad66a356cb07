molos::embed_migrations!("ui/unique_over_rows");

fn main() {}
