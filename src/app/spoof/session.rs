//! An attacker's SMTP session: says what it is told to, without any manners.
//!
//! Out: the reply that ended it, and to what.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Longest wait for a reply: checks of a message may take their time limit, and more.
const REPLY_MAX: Duration = Duration::from_secs(60);

/// What an attacker sends.
#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    /// Behind EHLO; may hold anything.
    pub(super) helo: String,
    /// The whole MAIL command.
    pub(super) mail: String,
    /// Whole RCPT commands.
    pub(super) rcpt: Vec<String>,
    /// Everything between 354 and the final dot, as it goes over the wire.
    pub(super) content: String,
}

/// How a session ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// The last reply.
    pub(super) reply: String,
    /// True if the final dot was answered with 250.
    pub(super) taken: bool,
}

/// Carries the attack out.
pub(super) async fn carry_out(address: SocketAddr, mail: &Mail) -> std::io::Result<Ended> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut session = Session(BufReader::new(stream));
    let refused = |reply: String| Ended { reply, taken: false };
    let mut commands = vec![format!("EHLO {}", mail.helo), mail.mail.clone()];
    commands.extend(mail.rcpt.iter().cloned());
    commands.push("DATA".to_owned());
    session.reply().await?;
    for command in commands {
        let reply = session.command(&command).await?;
        if !reply.starts_with(['2', '3']) {
            return Ok(refused(reply));
        }
    }
    session.0.get_mut().write_all(mail.content.as_bytes()).await?;
    let reply = session.command("\r\n.").await?;
    let taken = reply.starts_with('2');
    // A message hidden in this one would be answered now.
    let further = session.command("NOOP").await?;
    if taken && !further.starts_with("250") {
        return Ok(refused(format!("{reply} / {further}")));
    }
    Ok(Ended { reply, taken })
}

struct Session(BufReader<TcpStream>);

impl Session {
    async fn command(&mut self, line: &str) -> std::io::Result<String> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// The last line of a reply; what was closed without one says so.
    async fn reply(&mut self) -> std::io::Result<String> {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(REPLY_MAX, self.0.read_line(&mut line));
            if read.await.map_err(std::io::Error::other)?? == 0 {
                return Ok("closed without a reply".to_owned());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}

/// A request to the moderators' page, as a scanner or browser makes it; the status line, or why there is none.
pub(super) async fn request(address: SocketAddr, method: &str, path: &str, form: &str) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.get_mut().write_all(request.as_bytes()).await?;
    let mut line = String::new();
    let read = tokio::time::timeout(REPLY_MAX, stream.read_line(&mut line));
    read.await.map_err(std::io::Error::other)??;
    Ok(line.trim_end().to_owned())
}
