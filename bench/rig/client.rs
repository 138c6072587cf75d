//! Client: a connection that has been greeted, and messages that can be recognised anywhere.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use super::tls::Stream;
use super::wire::replies_in;

/// Digits of a token after its letter: eight of the run, nine of the message.
pub const DIGITS: usize = 17;

/// Where a client connects, from where, and whether by TLS.
pub struct Route<'a> {
    pub server: SocketAddr,
    /// The system chooses if none is named.
    pub from: Option<Ipv4Addr>,
    pub starttls: Option<&'a TlsConnector>,
}

pub struct Connection {
    stream: Stream,
    input: Vec<u8>,
}

impl Connection {
    /// Connects, secures the connection if asked to, and has said EHLO.
    pub async fn open(route: &Route<'_>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = route.from {
            socket.bind(SocketAddr::from((from, 0)))?;
        }
        let stream = socket.connect(route.server).await?;
        stream.set_nodelay(true)?;
        let mut open = Connection {
            stream: Stream::Plain(stream),
            input: Vec::new(),
        };
        open.expect(b"", 220).await?;
        open.expect(b"EHLO source.contoso.example\r\n", 250).await?;
        let Some(connector) = route.starttls else {
            return Ok(open);
        };
        open.expect(b"STARTTLS\r\n", 220).await?;
        let mut secured = Connection {
            stream: open.stream.connect(connector).await?,
            input: Vec::new(),
        };
        secured.expect(b"EHLO source.contoso.example\r\n", 250).await?;
        Ok(secured)
    }

    pub async fn expect(&mut self, command: &[u8], code: u16) -> io::Result<()> {
        match self.exchange(command, 1).await?[0] {
            got if got == code => Ok(()),
            got => Err(io::Error::other(format!("{got} instead of {code}"))),
        }
    }

    /// Writes all, then reads that many replies. The replies of 10,000 recipients fit the socket's buffer.
    pub async fn exchange(&mut self, octets: &[u8], replies: usize) -> io::Result<Vec<u16>> {
        self.stream.write(octets).await?;
        let mut codes = Vec::with_capacity(replies);
        loop {
            let taken = replies_in(&self.input, &mut codes);
            self.input.drain(..taken);
            if codes.len() >= replies {
                return Ok(codes);
            }
            if codes.last() == Some(&421) || self.stream.read(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// A message whose every line carries its token, so that each part of it can be recognised anywhere.
pub struct Content {
    pub octets: Vec<u8>,
    /// Where the digits of the token stand.
    places: Vec<usize>,
}

impl Content {
    /// About `size` octets, header section included, with an author and a date.
    pub fn new(size: usize, author: &str) -> io::Result<Self> {
        let date = jiff::fmt::rfc2822::to_string(&jiff::Zoned::now()).map_err(io::Error::other)?;
        let blank = "0".repeat(DIGITS);
        let mut text = format!(
            "X-Ledger-Token: T{blank}\r\nMessage-ID: <M{blank}@source.contoso.example>\r\nDate: {date}\r\n\
             From: <{author}>\r\nTo: undisclosed-recipients:;\r\nSubject: load\r\n\r\n"
        );
        let line = format!("T{blank} the quick brown fox jumps over the lazy dog\r\n");
        while text.len() + line.len() <= size {
            text.push_str(&line);
        }
        let places = memchr::memmem::find_iter(text.as_bytes(), &blank).collect();
        text.push_str(".\r\n");
        Ok(Content {
            octets: text.into_bytes(),
            places,
        })
    }

    pub fn name(&mut self, digits: &str) {
        for place in &self.places {
            self.octets[*place..*place + DIGITS].copy_from_slice(digits.as_bytes());
        }
    }
}
