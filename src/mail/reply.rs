//! SMTP replies (RFC 5321 §4.2), ours and those of a next hop.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::EnhancedStatus;

/// One reply: code, enhanced status and text.
///
/// The text is public: plain, without member names, rule names or paths. `\n` separates lines.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// RFC 3463 status; absent in greetings, EHLO and 354.
    pub status: Option<EnhancedStatus>,
    /// Text without code and status; lines separated by `\n`.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced status given as `(class, subject, detail)`.
    pub fn new(code: u16, status: (u8, u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            status: Some(EnhancedStatus::new(status.0, status.1, status.2)),
            text: text.into(),
        }
    }

    /// A reply without enhanced status: greeting, EHLO, 354.
    pub fn bare(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            status: None,
            text: text.into(),
        }
    }

    /// 2yz.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 4yz.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5yz.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// The status, or `x.0.0` of the code's class where the peer gave none.
    #[must_use]
    pub fn status_or_generic(&self) -> EnhancedStatus {
        let class = match self.code / 100 {
            2 | 3 => 2,
            4 => 4,
            _ => 5,
        };
        self.status.unwrap_or(EnhancedStatus::new(class, 0, 0))
    }

    /// Appends the wire form: one `code-`/`code ` line per text line, CRLF ended.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            out.extend_from_slice(self.code.to_string().as_bytes());
            out.push(if lines.peek().is_some() { b'-' } else { b' ' });
            if let Some(status) = self.status {
                out.extend_from_slice(status.to_string().as_bytes());
                out.push(b' ');
            }
            // A control octet in a reply text would be reply smuggling; none comes from us, but texts quote peers.
            out.extend(line.bytes().filter(|b| !b.is_ascii_control()));
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        write!(f, " {}", self.text.replace('\n', " "))
    }
}
