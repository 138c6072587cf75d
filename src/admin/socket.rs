//! The server side of the local socket.
//!
//! In: connections of programs on this machine whose user may write to the socket (mode 0660).
//! Out: one answer for each request, in order.
//! Never: waits for ever, reads a line without end, or takes a socket away from a service that is alive.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::protocol::{read_request, write_response};
use super::service::{Caller, Refusal, RefusalKind, Service, dispatch};
use crate::limits;

/// Permissions of the socket: its owner and group.
const MODE: u32 = 0o660;

/// A socket that is bound and not yet served. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Binds the socket; a file left by a dead service is replaced, that of a living one is an error
    /// ([`io::ErrorKind::AddrInUse`]). Nobody else can connect before the mode is set: it is bound under
    /// another name, then moved.
    pub async fn bind(path: &Path) -> io::Result<Self> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("{} belongs to a running service", path.display()),
            ));
        }
        let hidden = path.with_extension("new");
        match std::fs::remove_file(&hidden) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&hidden)?;
        std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(MODE))?;
        std::fs::rename(&hidden, path)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Answers until the future is dropped. Connections end with it.
    pub async fn serve<S: Service>(self, service: Arc<S>) {
        let room = Arc::new(Semaphore::new(limits::ADMIN_CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    connections.spawn(async move {
                        if let Err(fault) = connection(stream, &*service).await {
                            tracing::debug!(%fault, "local socket: connection ended");
                        }
                        drop(permit);
                    });
                }
                Err(fault) => {
                    // Out of file descriptors, most likely: others must end before the next can be taken.
                    tracing::warn!(%fault, "local socket: cannot accept");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // Nothing depends on it: the next start replaces the file of a dead service.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn connection<S: Service>(stream: UnixStream, service: &S) -> io::Result<()> {
    let caller = Caller {
        user_id: stream.peer_cred().ok().map(|credentials| credentials.uid()),
    };
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let bound = limits::ADMIN_REQUEST_OCTETS_MAX as u64 + 1;
        let mut bounded = (&mut read).take(bound);
        let octets = timeout(limits::ADMIN_TIMEOUT, bounded.read_until(b'\n', &mut line)).await??;
        if octets == 0 {
            return Ok(());
        }
        let complete = line.ends_with(b"\n");
        let result = if complete {
            answer(service, &caller, &line).await
        } else {
            Err(Refusal::new(
                RefusalKind::Usage,
                format!(
                    "a request is one line of at most {} octets",
                    limits::ADMIN_REQUEST_OCTETS_MAX
                ),
            ))
        };
        timeout(limits::ADMIN_TIMEOUT, write.write_all(&bounded_response(result))).await??;
        if !complete {
            return Ok(());
        }
    }
}

async fn answer<S: Service>(service: &S, caller: &Caller, line: &[u8]) -> Result<super::Answer, Refusal> {
    let command = read_request(line)?;
    tracing::debug!(command = command.name(), %caller, "local socket: request");
    dispatch(service, caller, &command).await
}

fn bounded_response(result: Result<super::Answer, Refusal>) -> Vec<u8> {
    let response = write_response(result);
    if response.len() <= limits::ADMIN_ANSWER_OCTETS_MAX {
        return response;
    }
    write_response(Err(Refusal::new(
        RefusalKind::Usage,
        format!(
            "the answer would be {} octets, more than {}: ask for less",
            response.len(),
            limits::ADMIN_ANSWER_OCTETS_MAX
        ),
    )))
}
