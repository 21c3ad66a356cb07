molos::embed_migrations!("ui/check_over_rows");

fn main() {}
