//! A host on loopback that speaks HTTPS, answers as told and records what it is asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::tls::Leaf;

/// What is answered to a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Status line and fields without the length, and the body.
    Says(String, Vec<u8>),
    /// Nothing, and the connection stays.
    Silence,
}

impl Answer {
    /// 200 with a media type.
    pub fn ok(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::Says(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"), body.into())
    }

    /// A status with fields, CRLF ended.
    pub fn status(status: u16, fields: &str) -> Self {
        Self::Says(format!("HTTP/1.1 {status} x\r\n{fields}"), Vec::new())
    }
}

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// `GET /path HTTP/1.1` and the fields.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The host.
pub struct Host {
    pub address: SocketAddr,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Host {
    /// Answers in this order; the last answer is given again and again.
    pub async fn start(leaf: &Leaf, answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let host = Self {
            address: listener.local_addr().expect("bound"),
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            asked: Arc::default(),
        };
        let acceptor = TlsAcceptor::from(leaf.server());
        let (answers, asked) = (Arc::clone(&host.answers), Arc::clone(&host.asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answers, asked) = (acceptor.clone(), Arc::clone(&answers), Arc::clone(&asked));
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await.ok()?;
                    let request = read(&mut stream).await?;
                    asked.lock().expect("no panic").push(request);
                    let answer = {
                        let mut answers = answers.lock().expect("no panic");
                        let next = answers.pop_front()?;
                        if answers.is_empty() {
                            answers.push_back(next.clone());
                        }
                        next
                    };
                    match answer {
                        Answer::Says(head, body) => {
                            let length = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                            let whole = [head.as_bytes(), length.as_bytes(), &body].concat();
                            stream.write_all(&whole).await.ok()?;
                            stream.shutdown().await.ok()
                        }
                        Answer::Silence => {
                            let mut rest = Vec::new();
                            stream.read_to_end(&mut rest).await.ok().map(drop)
                        }
                    }
                });
            }
        });
        host
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        *self.answers.lock().expect("no panic") = answers.into_iter().collect();
    }

    /// What it was asked.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Request> {
    let mut octets = Vec::new();
    loop {
        let end = memchr::memmem::find(&octets, b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(octets[..end].to_vec()).ok()?;
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, length)| length.trim().parse().expect("a number"));
            if octets.len() >= end + 4 + length {
                let body = octets[end + 4..end + 4 + length].to_vec();
                return Some(Request { head, body });
            }
        }
        if stream.read_buf(&mut octets).await.ok()? == 0 {
            return None;
        }
    }
}
