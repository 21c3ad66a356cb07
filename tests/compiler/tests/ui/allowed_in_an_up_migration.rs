molos::embed_migrations!("ui/allowed_in_an_up_migration");

fn main() {}
