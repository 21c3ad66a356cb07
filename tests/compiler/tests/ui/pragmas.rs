molos::embed_migrations!("ui/pragmas");

fn main() {}
