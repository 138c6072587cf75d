//! Connections that a proxy passes on: whose are they?
//!
//! Never: reads an octet behind the header; waits for a header without a deadline; takes the word of a machine that
//! the settings do not name as a proxy.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::deadline::Deadline;
use crate::smtp::proxy::{self, Origin, Progress, ProxyFault};

/// Why a connection is nobody's.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderFault {
    /// What came is no header.
    #[error(transparent)]
    Malformed(#[from] ProxyFault),
    /// The header did not come in time.
    #[error("the PROXY header did not come in time")]
    Late,
    /// The connection broke or ended, as those of a proxy do that only looks whether somebody listens.
    #[error("the connection ended before its PROXY header: {0}")]
    Gone(#[from] io::Error),
}

/// Reads the header until the deadline; `proxy` is who connected.
pub(super) async fn client_of<S>(stream: &mut S, proxy: IpAddr, deadline: &mut Deadline) -> Result<IpAddr, HeaderFault>
where
    S: AsyncRead + Unpin,
{
    let mut header = Vec::with_capacity(64);
    loop {
        let more = match proxy::read(&header)? {
            Progress::More(more) => more,
            Progress::Whole(Origin::Proxy) => return Ok(proxy),
            Progress::Whole(Origin::Client(address)) => return Ok(address),
        };
        let start = header.len();
        header.resize(start + more, 0);
        tokio::select! {
            biased;
            read = stream.read(&mut header[start..]) => match read? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                count => header.truncate(start + count),
            },
            () = deadline.passed() => return Err(HeaderFault::Late),
        }
    }
}
