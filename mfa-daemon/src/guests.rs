// SPDX-License-Identifier: GPL-3.0-or-later
//! The event loop of everybody but root. Login programs have the other one, so that what ordinary
//! users send, however much it is, stands in no queue before a login.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::thread::{self, JoinHandle};

use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::error;

/// Threads that ask the name service for them at the same time: a service that hangs must not make as many
/// as there are connections.
const NAME_SERVICE_THREADS: usize = 32;

/// The handle to the loop's thread. Dropping it ends the loop when all that was handed over is served.
pub struct Guests {
    arrivals: mpsc::UnboundedSender<Arrival>,
    served: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

/// A connection, and what serves it there.
struct Arrival {
    stream: StdUnixStream,
    serve: Box<dyn FnOnce(UnixStream) -> Served + Send>,
}

type Served = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Guests {
    /// Starts the loop.
    ///
    /// # Errors
    /// No thread or no event loop can be started.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(NAME_SERVICE_THREADS)
            .build()?;
        // As many as there are places for connections, at most.
        let (arrivals, mut arriving) = mpsc::unbounded_channel::<Arrival>();
        let (done, served) = oneshot::channel();
        let thread = thread::Builder::new().name("guests".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut connections = JoinSet::new();
                loop {
                    tokio::select! {
                        Some(_) = connections.join_next() => {}
                        arrived = arriving.recv() => match arrived {
                            Some(Arrival { stream, serve }) => match UnixStream::from_std(stream) {
                                Ok(stream) => drop(connections.spawn(serve(stream))),
                                Err(error) => error!(%error, "a connection cannot be served"),
                            },
                            None => break,
                        },
                    }
                }
                while connections.join_next().await.is_some() {}
            });
            let _ = done.send(());
        })?;
        Ok(Self { arrivals, served, thread })
    }

    /// Has a connection served there.
    pub(crate) fn receive<F: Future<Output = ()> + Send + 'static>(
        &self,
        stream: UnixStream,
        serve: impl FnOnce(UnixStream) -> F + Send + 'static,
    ) {
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                error!(%error, "a connection cannot be served");
                return;
            }
        };
        let serve: Box<dyn FnOnce(UnixStream) -> Served + Send> =
            Box::new(|stream| Box::pin(serve(stream)));
        // Only where the loop has ended, and then the connection ends as well.
        let _ = self.arrivals.send(Arrival { stream, serve });
    }

    /// Waits until everything that was handed over is served.
    pub(crate) async fn end(self) {
        let Self { arrivals, served, thread } = self;
        drop(arrivals);
        if served.await.is_ok() {
            let _ = thread.join();
        }
    }
}
