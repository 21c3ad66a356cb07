molos::embed_migrations!("ui/not_utf8");

fn main() {}
