molos::embed_migrations!("ui/core", set = "tasks", after = ["ui/no_such_directory"]);

fn main() {}
