molos::embed_migrations!("ui/set_indexes_another", set = "tasks", after = ["ui/core"]);

fn main() {}
