//! An SMTP client that speaks line by line and shows every reply.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// One session.
pub struct Client {
    wire: BufReader<Box<dyn Wire>>,
}

/// A connection, with or without TLS.
pub trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

impl Client {
    /// Connects and says EHLO.
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_silently(address).greeted()
    }

    fn greeted(mut self) -> Self {
        assert!(self.reply().starts_with("220 "), "a greeting");
        let hello = self.command("EHLO client.example");
        assert!(hello.starts_with("250"), "{hello}");
        self
    }

    /// Connects from one of this machine's addresses and says EHLO.
    pub fn connect_from(from: IpAddr, address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket
            .bind(&SocketAddr::new(from, 0).into())
            .expect("an address of loopback");
        socket.connect(&address.into()).expect("the listener accepts");
        Self::of(socket.into()).greeted()
    }

    /// Connects without reading the greeting.
    pub fn connect_silently(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("the listener accepts"))
    }

    fn of(out: TcpStream) -> Self {
        out.set_read_timeout(Some(Duration::from_secs(30)))
            .expect("the option exists");
        out.set_nodelay(true).expect("the option exists");
        Self::over(out)
    }

    /// A session over a connection that stands.
    pub fn over(wire: impl Wire + 'static) -> Self {
        Self {
            wire: BufReader::new(Box::new(wire)),
        }
    }

    /// Sends one command and returns the whole reply, lines joined by `\n`.
    pub fn command(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// Sends octets as they are.
    pub fn write(&mut self, octets: &[u8]) {
        let wire = self.wire.get_mut();
        wire.write_all(octets)
            .and_then(|()| wire.flush())
            .expect("the listener reads");
    }

    /// Reads one reply; empty if the connection was closed.
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            if self.wire.read_line(&mut line).expect("a reply in time") == 0 {
                return reply;
            }
            reply.push_str(line.trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
            reply.push('\n');
        }
    }

    /// One transaction. Returns the replies to RCPT, then the reply to the final dot (or to DATA).
    pub fn send(&mut self, from: &str, to: &[&str], content: &str) -> Vec<String> {
        let mail = self.command(&format!("MAIL FROM:<{from}>"));
        if !mail.starts_with("250") {
            return vec![mail];
        }
        let mut replies: Vec<String> = to.iter().map(|to| self.command(&format!("RCPT TO:<{to}>"))).collect();
        replies.push(self.content(content));
        if !replies.last().is_some_and(|reply| reply.starts_with("250")) {
            self.command("RSET");
        }
        replies
    }

    /// DATA, the content, the dot; returns the last reply.
    pub fn content(&mut self, content: &str) -> String {
        let data = self.command("DATA");
        if !data.starts_with("354") {
            return data;
        }
        let stuffed = content.replace("\r\n.", "\r\n..");
        self.write(stuffed.as_bytes());
        self.write(if stuffed.ends_with("\r\n") {
            b".\r\n"
        } else {
            b"\r\n.\r\n"
        });
        self.reply()
    }
}

/// A short message.
pub fn message(from: &str, to: &str, subject: &str) -> String {
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <{subject}.{from}>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n\r\nHello.\r\n"
    )
}
