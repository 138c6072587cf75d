//! Requests for approval as a moderator gets them.

use super::{Hop, hop::Copy};

/// A request in a moderator's mailbox.
pub struct Request {
    /// As it arrived.
    pub copy: Copy,
    /// The same, readable.
    pub text: String,
}

impl Request {
    /// Waits for the first request to a moderator that speaks of `about`.
    pub fn to(hop: &Hop, moderator: &str, about: &str) -> Self {
        let copy = hop.wait_copy(&format!("the request to {moderator}"), |copy| {
            copy.recipients == [moderator]
                && copy.content.contains("\nReply-To: <")
                && decoded(&copy.content).contains(about)
        });
        let text = decoded(&copy.content);
        Self { copy, text }
    }

    /// Where answers by mail go.
    pub fn answers(&self) -> String {
        let start = self.text.find("\nReply-To: <").expect("an address for answers") + "\nReply-To: <".len();
        self.text[start..].chars().take_while(|c| *c != '>').collect()
    }

    /// The path of the moderator's page.
    pub fn path(&self) -> String {
        let start = self.text.find("/m/").expect("a link");
        self.text[start..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
            .collect()
    }
}

/// Quoted-printable undone, as far as our letters use it.
pub fn decoded(content: &str) -> String {
    let joined = content.replace("=\r\n", "");
    let octets = joined.as_bytes();
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while at < octets.len() {
        let pair = octets
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let octet = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match octet {
            Some(octet) if octets[at] == b'=' => {
                out.push(octet);
                at += 3;
            }
            Some(_) | None => {
                out.push(octets[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
