molos::embed_migrations!("ui/left_over_rowid");

fn main() {}
