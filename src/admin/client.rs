//! The client side of the local socket: blocking, one question at a time.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::protocol::{Request, Response, VERSION};
use super::{Answer, Command, Refusal, RefusalKind};
use crate::limits;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    /// Nobody listens, or this user may not ask: exit code 3.
    #[error("the service cannot be reached at {path}: {fault}")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// The connection broke or what came back is no answer: 3.
    #[error("the service did not answer properly: {0}")]
    Garbled(String),
    /// The service refused.
    #[error("{0}")]
    Refused(Refusal),
}

impl ClientFault {
    /// What a person can do about it.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { fault, .. } => Some(match fault.kind() {
                io::ErrorKind::PermissionDenied => {
                    "Only the service's user and group may ask; join the group or use sudo."
                }
                _ => "Is `muster serve` running, with the same --config? `--socket` names another socket.",
            }),
            Self::Garbled(_) | Self::Refused(_) => None,
        }
    }
}

/// Asks the service behind a socket.
pub fn ask(socket: &Path, command: &Command) -> Result<Answer, ClientFault> {
    let unreachable = |fault: io::Error| ClientFault::Unreachable {
        path: socket.to_owned(),
        fault,
    };
    let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
    let request = Request {
        version: VERSION,
        command: command.clone(),
    };
    let mut line = serde_json::to_vec(&request).map_err(|fault| ClientFault::Garbled(fault.to_string()))?;
    if line.len() >= limits::ADMIN_REQUEST_OCTETS_MAX {
        let refusal = Refusal::new(RefusalKind::Usage, "the arguments are too long");
        return Err(ClientFault::Refused(refusal));
    }
    line.push(b'\n');
    stream.write_all(&line).map_err(unreachable)?;
    // A long answer takes as long as it takes: a rebuild may run. The service ends what it cannot finish.
    let mut reader = BufReader::new(stream).take(limits::ADMIN_ANSWER_OCTETS_MAX as u64);
    let mut answer = Vec::new();
    reader
        .read_until(b'\n', &mut answer)
        .map_err(|fault| ClientFault::Garbled(fault.to_string()))?;
    if !answer.ends_with(b"\n") {
        return Err(ClientFault::Garbled(
            "the connection ended before the answer did".to_owned(),
        ));
    }
    let response: Response =
        serde_json::from_slice(&answer).map_err(|fault| ClientFault::Garbled(fault.to_string()))?;
    match (response.answer, response.refusal) {
        (Some(answer), None) => Ok(answer),
        (None, Some(refusal)) => Err(ClientFault::Refused(refusal)),
        _ => Err(ClientFault::Garbled("neither an answer nor a refusal".to_owned())),
    }
}
