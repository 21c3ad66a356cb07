molos::embed_migrations!("ui/core", hooks = { 1 => crate::a, 1 => crate::b });

fn main() {}
