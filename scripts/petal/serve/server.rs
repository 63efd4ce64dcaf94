//! Connections, held to their limits, until the service is asked to end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use petal::prelude::*;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answers::{About, Service, router};
use super::batches::Batches;

/// Seconds that open connections get to end.
const END: Duration = Duration::from_secs(10);

/// Connections for each request that may be there at once: most wait for their next one.
const CONNECTIONS: usize = 4;

/// What may be asked of the service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Requests at once.
    pub(super) requests: usize,
    /// Bytes of a request.
    pub(super) bytes: usize,
    /// How long a request may take to arrive.
    pub(super) arrival: Duration,
    /// What a photo may cost.
    pub(super) photo: petal::config::Limits,
}

/// What was done.
pub(super) struct Served {
    pub(super) requests: u64,
    pub(super) photos: u64,
}

/// Serves until a signal asks it to end.
pub(super) fn serve(at: SocketAddr, about: About, batches: Batches, limits: Limits) -> Result<Served> {
    let failed = |doing: &str, cause: std::io::Error| Error::new(ErrorKind::Io, format!("cannot {doing}: {cause}"));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|cause| failed("start the service", cause))?;
    let service = Arc::new(Service::new(about, batches, limits));
    runtime.block_on(async {
        let listener = TcpListener::bind(at).await.map_err(|cause| {
            failed(&format!("listen at {at}"), cause).mend("another program may be there: --port 0 takes a free one")
        })?;
        let at = listener.local_addr().map_err(|cause| failed("listen", cause))?;
        eprintln!("serving {} at http://{at}/ : POST photos to /predict; Ctrl-C ends it", service.about.network);
        if !at.ip().is_loopback() {
            eprintln!("everybody who can reach this machine can ask it: there are no passwords, and no encryption");
        }
        eprint!("{}", service.about.note);
        until_asked(listener, &service, limits).await.map_err(|cause| failed("serve", cause))
    })?;
    Ok(Served { requests: service.requests.load(Ordering::Relaxed), photos: service.photos.load(Ordering::Relaxed) })
}

async fn until_asked(listener: TcpListener, service: &Arc<Service>, limits: Limits) -> std::io::Result<()> {
    let app = TowerToHyperService::new(router(Arc::clone(service)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.arrival).max_buf_size(1 << 16).keep_alive(true);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS * limits.requests));
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    loop {
        // Without room, nobody else is let in: they wait in the system's queue.
        let accepted = async {
            let room = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, room)
        };
        let (accepted, room) = tokio::select! {
            accepted = accepted => accepted,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        };
        // Too many open files, or a caller that hung up: neither ends the service.
        let Ok((stream, _)) = accepted else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), app.clone()));
        tokio::spawn(async move {
            let _room = room;
            // What goes wrong on a connection is its caller's to hear.
            let _ = connection.await;
        });
    }
    // Whoever comes now is refused by the system, and not left waiting.
    drop(listener);
    eprintln!("ending: what has arrived is answered");
    let _ = timeout(END, graceful.shutdown()).await;
    Ok(())
}
