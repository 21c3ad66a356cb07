//! `serve`.

use std::net::SocketAddr;

use crate::error::Result;
use crate::store::Store;
use crate::web::{self, Cookies};

#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    #[arg(long, env = "MOLOS_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Browsers reach it by HTTPS, through a proxy: they are to send cookies over nothing else.
    #[arg(long, env = "MOLOS_HTTPS")]
    https: bool,
}

impl Serve {
    pub(super) fn run(&self, store: &Store) -> Result<String> {
        let cookies = if self.https { Cookies::Https } else { Cookies::Http };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(self.listen).await?;
            tracing::info!("listening on http://{}", listener.local_addr()?);
            axum::serve(listener, web::router(store.clone(), cookies)).await?;
            Ok(String::new())
        })
    }
}
