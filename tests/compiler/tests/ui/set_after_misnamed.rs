molos::embed_migrations!("ui/core", set = "tasks", after = ["ui/misnamed_file"]);

fn main() {}
