molos::embed_migrations!("ui/allow_without_subject");

fn main() {}
