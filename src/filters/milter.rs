//! A milter, asked about one message after the other steps of its protocol, all at the end of data.
//!
//! The protocol is ours ([`super::codec`]): a page of packets, less to answer for than a crate that few keep.
//!
//! Differs: recipients, sender and body stay as they are, and fields that the sender wrote are neither changed nor taken
//! out (DESIGN §1.5): such wishes are passed over, with a line in the log. A change of a field adds it on top.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::codec::{self, BODY_OCTETS_MAX, Chosen, PACKET_OCTETS_MAX, Said, Step, macros, packet, texts};
use super::{FilterAddress, FilterFault, field, whole};
use crate::categorizer::filtering::{FilterQuestion, FilterVerdict, Filtered};
use crate::mail::Reply;

/// Asks a milter.
pub(super) async fn ask(
    address: &FilterAddress,
    question: &FilterQuestion,
    host: &str,
) -> Result<Filtered, FilterFault> {
    let message = whole(&question.content).await?;
    match address {
        FilterAddress::Tcp(address) => {
            let stream = TcpStream::connect(address.as_str()).await?;
            stream.set_nodelay(true)?;
            Session::new(stream).run(question, host, &message).await
        }
        FilterAddress::Unix(path) => {
            Session::new(UnixStream::connect(path).await?)
                .run(question, host, &message)
                .await
        }
    }
}

struct Session<S> {
    stream: S,
    chosen: Chosen,
    answer: Filtered,
}

/// Whether the filter wants to see more.
#[derive(PartialEq, Eq)]
enum More {
    Yes,
    /// Of the body no more.
    NoBody,
    No,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            chosen: Chosen::default(),
            answer: Filtered::default(),
        }
    }

    async fn run(mut self, question: &FilterQuestion, host: &str, message: &[u8]) -> Result<Filtered, FilterFault> {
        self.stream.write_all(&codec::negotiation()).await?;
        let (letter, content) = self.read().await?;
        self.chosen = codec::chosen(letter, &content).map_err(FilterFault::Protocol)?;
        if self.envelope(question, host).await? == More::Yes && self.message(message).await? != More::No {
            let id = question.id.to_string();
            self.stream.write_all(&macros(Step::End, &[("i", &id)])).await?;
            self.stream.write_all(&packet(Step::End.letter(), &[])).await?;
            loop {
                let (letter, content) = self.read().await?;
                if self.take(codec::said(letter, &content))? != More::Yes || letter == b'c' {
                    break;
                }
            }
        }
        // It may close as it likes now.
        let _ = self.stream.write_all(&packet(b'Q', &[])).await;
        Ok(self.answer)
    }

    async fn envelope(&mut self, question: &FilterQuestion, host: &str) -> Result<More, FilterFault> {
        let client = question.client.to_canonical();
        let address = client.to_string();
        let id = question.id.to_string();
        let name = format!("[{address}]");
        let connection = [
            ("j", host),
            ("{daemon_name}", &question.listener),
            ("{client_addr}", &address),
        ];
        let mut connect = texts([name.as_str()]);
        connect.push(if client.is_ipv4() { b'4' } else { b'6' });
        connect.extend_from_slice(&0_u16.to_be_bytes());
        connect.extend(texts([address.as_str()]));
        let helo = question.helo.as_deref().unwrap_or(&name);
        let sender = format!("<{}>", question.envelope.reverse_path.as_str());
        let mut sent = [
            ("i", id.as_str()),
            ("{mail_addr}", question.envelope.reverse_path.as_str()),
        ]
        .to_vec();
        if let Some(proof) = &question.proof {
            sent.push(("{auth_authen}", proof));
        }
        for (step, values, content) in [
            (Step::Connect, &connection[..], connect),
            (Step::Helo, &[][..], texts([helo])),
            (Step::Mail, &sent[..], texts([sender.as_str()])),
        ] {
            if self.step(step, values, &content).await? == More::No {
                return Ok(More::No);
            }
        }
        let mut refused = 0;
        for to in &question.envelope.recipients {
            let path = to.forward_path.as_str();
            let values = [("{rcpt_addr}", path)];
            let content = texts([format!("<{path}>").as_str()]);
            if self.step(Step::Rcpt, &values, &content).await? == More::No {
                match &self.answer.verdict {
                    // About this recipient only; it counts if it is said of all.
                    FilterVerdict::Reject(_) | FilterVerdict::Defer(_) => refused += 1,
                    _ => return Ok(More::No),
                }
            }
        }
        if refused > 0 && refused == question.envelope.recipients.len() {
            return Ok(More::No);
        }
        self.answer.verdict = FilterVerdict::Accept;
        self.step(Step::Data, &[("i", &id)], &[]).await
    }

    async fn message(&mut self, message: &[u8]) -> Result<More, FilterFault> {
        let end = memchr::memmem::find(message, b"\r\n\r\n");
        let head = &message[..end.map_or(message.len(), |end| end + 2)];
        let body = &message[end.map_or(message.len(), |end| end + 4)..];
        for (name, value) in fields(head, self.chosen.keeps_leading_blanks()) {
            let content = texts([name.as_str(), value.as_str()]);
            if self.step(Step::Header, &[], &content).await? == More::No {
                return Ok(More::No);
            }
        }
        if self.step(Step::EndOfHeaders, &[], &[]).await? == More::No {
            return Ok(More::No);
        }
        for part in body.chunks(BODY_OCTETS_MAX) {
            match self.step(Step::Body, &[], part).await? {
                More::Yes => {}
                More::NoBody => break,
                More::No => return Ok(More::No),
            }
        }
        Ok(More::Yes)
    }

    async fn step(&mut self, step: Step, values: &[(&str, &str)], content: &[u8]) -> Result<More, FilterFault> {
        if !self.chosen.wants(step) {
            return Ok(More::Yes);
        }
        if !values.is_empty() {
            self.stream.write_all(&macros(step, values)).await?;
        }
        self.stream.write_all(&packet(step.letter(), content)).await?;
        if !self.chosen.answers(step) {
            return Ok(More::Yes);
        }
        loop {
            let (letter, content) = self.read().await?;
            match codec::said(letter, &content) {
                Said::Progress => {}
                said => return self.take(said),
            }
        }
    }

    /// Takes what the filter said into its answer.
    fn take(&mut self, said: Said) -> Result<More, FilterFault> {
        let verdict = match said {
            Said::Continue | Said::Progress => return Ok(More::Yes),
            Said::Skip => return Ok(More::NoBody),
            Said::Accept => FilterVerdict::Accept,
            Said::Discard => FilterVerdict::Discard,
            Said::Reject => FilterVerdict::Reject(Reply::new(550, (5, 7, 1), "The message was refused by a filter")),
            Said::Defer => FilterVerdict::Defer(Reply::new(451, (4, 7, 1), "Try again later")),
            Said::Reply(text) => replied(&text)?,
            Said::Add(name, value) | Said::Change(name, value) => {
                match field(&name, &value) {
                    Some(field) if !value.trim().is_empty() => self.answer.fields.push(field),
                    Some(_) | None => tracing::debug!(name, "a filter's wish to take a field out is passed over"),
                }
                return Ok(More::Yes);
            }
            Said::Quarantine(why) => {
                self.answer.verdict = FilterVerdict::Quarantine;
                self.answer.by = Some(why);
                return Ok(More::Yes);
            }
            Said::Other(letter) => {
                tracing::warn!(wish = %char::from(letter), "a filter's wish to change body or envelope is passed over");
                return Ok(More::Yes);
            }
        };
        // What it wants to be quarantined may be accepted beside it.
        if verdict != FilterVerdict::Accept || self.answer.verdict != FilterVerdict::Quarantine {
            self.answer.verdict = verdict;
        }
        Ok(More::No)
    }

    async fn read(&mut self) -> Result<(u8, Vec<u8>), FilterFault> {
        let length = self.stream.read_u32().await? as usize;
        if length == 0 || length > PACKET_OCTETS_MAX {
            return Err(FilterFault::Protocol(format!("a packet of {length} octets")));
        }
        let mut content = vec![0; length];
        self.stream.read_exact(&mut content).await?;
        let letter = content.remove(0);
        Ok((letter, content))
    }
}

/// `550 5.7.1 text`, as a filter words it. A code that is neither 4yz nor 5yz breaks the protocol.
fn replied(text: &str) -> Result<FilterVerdict, FilterFault> {
    let fault = || FilterFault::Protocol(format!("a reply `{text}`"));
    let (code, rest) = text.split_once(' ').ok_or_else(fault)?;
    let code: u16 = code.parse().map_err(|_| fault())?;
    let class = match code {
        400..=499 => 4,
        500..=599 => 5,
        _ => return Err(fault()),
    };
    let mut words = rest.splitn(2, ' ');
    let status: Vec<u16> = words
        .next()
        .map(|status| status.split('.').filter_map(|part| part.parse().ok()).collect())
        .unwrap_or_default();
    let clean = |text: &str| text.replace(|c: char| c.is_control(), " ");
    let reply = match status.as_slice() {
        [first, subject, detail] if *first == class => {
            let text = clean(words.next().unwrap_or("refused by a filter"));
            Reply::new(code, (class as u8, *subject, *detail), text)
        }
        _ => Reply::new(code, (class as u8, 7, 1), clean(rest)),
    };
    Ok(if class == 5 {
        FilterVerdict::Reject(reply)
    } else {
        FilterVerdict::Defer(reply)
    })
}

/// Names and values of a header section; folded lines belong to a value, with line ends as filters expect them.
fn fields(head: &[u8], keep_blank: bool) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(head);
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        match (line.starts_with([' ', '\t']), found.last_mut()) {
            (true, Some((_, value))) => {
                value.push('\n');
                value.push_str(line);
            }
            _ => {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                let value = if keep_blank {
                    value
                } else {
                    value.strip_prefix(' ').unwrap_or(value)
                };
                found.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    found
}
