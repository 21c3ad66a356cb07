molos::embed_migrations!("ui/set_rebuilds_another", set = "tasks", after = ["ui/core"]);

fn main() {}
