molos::embed_migrations!("ui/core", hooks = { 1 => crate::hash_tokens });

fn hash_tokens(_: &str) {}

fn main() {}
