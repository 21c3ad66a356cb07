molos::embed_migrations!("ui/not_null_over_rows");

fn main() {}
