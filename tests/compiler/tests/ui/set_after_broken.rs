molos::embed_migrations!("ui/core", set = "tasks", after = ["ui/error_in_trigger"]);

fn main() {}
