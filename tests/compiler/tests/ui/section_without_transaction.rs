molos::embed_migrations!("ui/section_without_transaction");

fn main() {}
