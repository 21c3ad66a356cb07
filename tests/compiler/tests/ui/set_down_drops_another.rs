molos::embed_migrations!("ui/set_down_drops_another", set = "tasks", after = ["ui/core"]);

fn main() {}
