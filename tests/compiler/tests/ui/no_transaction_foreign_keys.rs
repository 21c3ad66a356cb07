molos::embed_migrations!("ui/no_transaction_foreign_keys");

fn main() {}
