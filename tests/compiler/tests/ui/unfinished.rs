molos::embed_migrations!("ui/unfinished");

fn main() {}
