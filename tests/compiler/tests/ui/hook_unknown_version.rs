molos::embed_migrations!("ui/core", hooks = { 9 => crate::nothing });

fn nothing(_: &molos::rusqlite::Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(())
}

fn main() {}
