//! `serve`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::Result;
use crate::now;
use crate::purge::purge;
use crate::store::Store;
use crate::web::{self, Cookies};

const BETWEEN_PURGES: Duration = Duration::from_secs(60 * 60);

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
            let listener = TcpListener::bind(self.listen).await?;
            let stop = stop()?;
            tracing::info!("listening on http://{}", listener.local_addr()?);
            let purges = tokio::spawn(purge_again_and_again(store.clone()));
            // Requests that are running are answered; new ones are not taken.
            axum::serve(listener, web::router(store.clone(), cookies)).with_graceful_shutdown(stop).await?;
            purges.abort();
            tracing::info!("stopped");
            Ok(String::new())
        })
    }
}

/// Ends when the process is told to: by Ctrl-C, or by whoever supervises it. From now on, neither ends it at once.
#[cfg(unix)]
fn stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
    })
}

#[cfg(not(unix))]
fn stop() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
        tracing::info!("stopping");
    })
}

async fn purge_again_and_again(store: Store) {
    let mut times = interval(BETWEEN_PURGES);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        if let Err(error) = store.blocking(|store| store.write(|conn| purge(conn, now()))).await {
            tracing::warn!(%error, "nothing was purged");
        }
    }
}
