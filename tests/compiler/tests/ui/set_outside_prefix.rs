molos::embed_migrations!("ui/set_outside_prefix", set = "tasks", after = ["ui/core"], table_prefix = "tasks_");

fn main() {}
