molos::embed_migrations!("ui/core", set = "tasks", after = ["ui/core/"]);

fn main() {}
