molos::embed_migrations!("ui/set_changes_another", set = "tasks", after = ["ui/core"]);

fn main() {}
