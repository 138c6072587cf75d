//! A client that submits one message over SMTP and reads every reply.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::mail::Reply;
use crate::smtp::reply_parser::ReplyParser;

/// Submits a message; returns the reply that decided: a refusal, or the one to the final dot.
pub async fn submit(to: SocketAddr, from: &str, recipient: &str, subject: &str) -> Result<Reply, String> {
    let stream = TcpStream::connect(to).await.map_err(|fault| format!("{to}: {fault}"))?;
    let mut session = Session {
        stream,
        parser: ReplyParser::default(),
        input: Vec::new(),
    };
    session.reply().await?;
    let content = format!(
        "From: <{from}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\nMessage-ID: <{}@demo.example>\r\n\r\nHello.\r\n.",
        subject.replace(' ', "-")
    );
    let mut last = Reply::bare(250, "");
    for line in [
        "EHLO client.demo.example".to_owned(),
        format!("MAIL FROM:<{from}>"),
        format!("RCPT TO:<{recipient}>"),
        "DATA".to_owned(),
        content,
    ] {
        last = session.command(&line).await?;
        if last.code >= 400 {
            break;
        }
    }
    session.command("QUIT").await?;
    Ok(last)
}

struct Session {
    stream: TcpStream,
    parser: ReplyParser,
    input: Vec<u8>,
}

impl Session {
    async fn command(&mut self, line: &str) -> Result<Reply, String> {
        let line = format!("{line}\r\n");
        self.stream
            .write_all(line.as_bytes())
            .await
            .map_err(|fault| fault.to_string())?;
        self.reply().await
    }

    async fn reply(&mut self) -> Result<Reply, String> {
        loop {
            let mut rest = self.input.as_slice();
            let found = self.parser.next(&mut rest).map_err(|fault| fault.to_string())?;
            self.input = rest.to_vec();
            if let Some(reply) = found {
                return Ok(reply);
            }
            let mut block = [0; 4096];
            match self.stream.read(&mut block).await {
                Ok(0) => return Err("the connection was closed".to_owned()),
                Ok(count) => self.input.extend_from_slice(&block[..count]),
                Err(fault) => return Err(fault.to_string()),
            }
        }
    }
}
