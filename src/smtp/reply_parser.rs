//! Replies of a next hop: octets in any cut become [`Reply`] values, within bounds.
//!
//! In: what the peer sent. Out: whole replies, in order.
//! Never: more than a bounded memory, a guess about what a malformed line might mean. Garbage is a
//! temporary failure of the session (`reliability.md` §3.1, "reply smuggling by the next hop").

use std::borrow::Cow;

use crate::limits::{REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX, REPLY_OCTETS_MAX};
use crate::mail::{EnhancedStatus, Reply};

/// Why a peer's octets are not a reply. The session cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// A line over [`REPLY_LINE_OCTETS_MAX`].
    #[error("a reply line is longer than allowed")]
    LineLong,
    /// More lines than [`REPLY_LINES_MAX`] or octets than [`REPLY_OCTETS_MAX`].
    #[error("a reply is longer than allowed")]
    ReplyLong,
    /// A line does not begin with a code of 200 to 599 and a blank, a hyphen or the end.
    #[error("a line is not a reply")]
    NoReply,
    /// The lines of one reply have different codes.
    #[error("the lines of a reply have different codes")]
    CodesDiffer,
    /// A CR or LF that does not belong to a CRLF, or a NUL.
    #[error("a reply holds a bare line end or a NUL")]
    BareLineEnd,
    /// A reply came that nobody had asked for, or one that its command cannot have.
    #[error("a reply came out of turn")]
    OutOfTurn,
}

/// Collects replies from octets.
#[derive(Debug, Default)]
pub struct ReplyParser {
    /// The unfinished line.
    line: Vec<u8>,
    /// The reply so far, if some lines of it have come.
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    code: u16,
    status: Option<EnhancedStatus>,
    text: String,
    lines: usize,
    octets: usize,
}

impl ReplyParser {
    /// Takes octets from the front of `input` until a reply is complete; `None` means that all of `input` was
    /// taken and more is needed. After a fault the parser must not be used again.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, ReplyFault> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let (head, tail) = input.split_at(end + 1);
            *input = tail;
            let reply = if self.line.is_empty() {
                self.take_line(head)?
            } else {
                if self.line.len() + head.len() > REPLY_LINE_OCTETS_MAX {
                    return Err(ReplyFault::LineLong);
                }
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                let reply = self.take_line(&line)?;
                line.clear();
                self.line = line;
                reply
            };
            if reply.is_some() {
                return Ok(reply);
            }
        }
        if self.line.len() + input.len() > REPLY_LINE_OCTETS_MAX {
            return Err(ReplyFault::LineLong);
        }
        self.line.extend_from_slice(input);
        *input = &[];
        Ok(None)
    }

    /// One line with its LF; returns the reply if this was its last line.
    fn take_line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyFault> {
        if line.len() > REPLY_LINE_OCTETS_MAX {
            return Err(ReplyFault::LineLong);
        }
        let body = line.strip_suffix(b"\r\n").ok_or(ReplyFault::BareLineEnd)?;
        if memchr::memchr2(b'\r', 0, body).is_some() {
            return Err(ReplyFault::BareLineEnd);
        }
        let (code, is_last, text) = split_line(body)?;
        let text = shown(text);
        let Some(mut partial) = self.partial.take() else {
            let (status, text) = split_status(code, &text);
            let partial = Partial {
                code,
                status,
                text: text.to_owned(),
                lines: 1,
                octets: line.len(),
            };
            return Ok(self.put(partial, is_last));
        };
        if partial.code != code {
            return Err(ReplyFault::CodesDiffer);
        }
        partial.lines += 1;
        partial.octets += line.len();
        if partial.lines > REPLY_LINES_MAX || partial.octets > REPLY_OCTETS_MAX {
            return Err(ReplyFault::ReplyLong);
        }
        let (status, rest) = split_status(code, &text);
        partial.text.push('\n');
        partial
            .text
            .push_str(if status == partial.status { rest } else { &text });
        Ok(self.put(partial, is_last))
    }

    fn put(&mut self, partial: Partial, is_last: bool) -> Option<Reply> {
        if !is_last {
            self.partial = Some(partial);
            return None;
        }
        Some(Reply {
            code: partial.code,
            status: partial.status,
            text: Cow::Owned(partial.text),
        })
    }
}

/// Code, whether this is the last line, and the text (RFC 5321 §4.2).
fn split_line(line: &[u8]) -> Result<(u16, bool, &[u8]), ReplyFault> {
    let (digits, rest) = line.split_first_chunk::<3>().ok_or(ReplyFault::NoReply)?;
    // RFC 5321 §4.2, §4.3.2: a code that nobody knows counts by its first digit. 571 is outside the grammar and in use.
    let [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'] = digits else {
        return Err(ReplyFault::NoReply);
    };
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest {
        [] => Ok((code, true, rest)),
        [b' ', text @ ..] => Ok((code, true, text)),
        [b'-', text @ ..] => Ok((code, false, text)),
        _ => Err(ReplyFault::NoReply),
    }
}

/// The text as it may be logged and quoted: UTF-8, without control characters.
fn shown(text: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(text);
    if text.chars().any(char::is_control) {
        return text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    text
}

/// Takes the enhanced status off the text, if there is one of the code's class (RFC 2034 §4).
fn split_status(code: u16, text: &str) -> (Option<EnhancedStatus>, &str) {
    match EnhancedStatus::leading(text) {
        Some(status) if u16::from(status.class) == code / 100 => {
            let rest = text.split_once(' ').map_or("", |(_, rest)| rest);
            (Some(status), rest)
        }
        _ => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(octets: &[u8]) -> Result<Vec<Reply>, ReplyFault> {
        let mut parser = ReplyParser::default();
        let mut rest = octets;
        let mut replies = Vec::new();
        while let Some(reply) = parser.next(&mut rest)? {
            replies.push(reply);
        }
        Ok(replies)
    }

    #[test]
    fn reads_replies() {
        let replies = all(b"250-2.1.0 ok\r\n250-2.1.0 more\r\n250 2.1.0 end\r\n354 go\r\n550\r\n571 5.7.1 no\r\n")
            .expect("well-formed");
        assert_eq!(
            replies,
            [
                Reply::new(250, (2, 1, 0), "ok\nmore\nend"),
                Reply::bare(354, "go"),
                Reply::bare(550, ""),
                Reply::new(571, (5, 7, 1), "no"),
            ]
        );
    }

    #[test]
    fn status_of_another_class_is_text() {
        for (line, status, text) in [
            ("550 5.1.1 no\r\n", Some((5, 1, 1)), "no"),
            ("550 4.1.1 no\r\n", None, "4.1.1 no"),
            ("250 2.0.0\r\n", Some((2, 0, 0)), ""),
            ("250 2.0.0 \r\n", Some((2, 0, 0)), ""),
            ("550 5.1.1234 no\r\n", None, "5.1.1234 no"),
            ("250 1.2.3.4 greets\r\n", None, "1.2.3.4 greets"),
            ("220 \x1b[31mhost\r\n", None, " [31mhost"),
            ("220 caf\u{e9}\r\n", None, "caf\u{e9}"),
        ] {
            let reply = &all(line.as_bytes()).expect(line)[0];
            let status = status.map(|(class, subject, detail)| EnhancedStatus::new(class, subject, detail));
            assert_eq!((reply.status, reply.text.as_ref()), (status, text), "{line:?}");
        }
    }

    #[test]
    fn malformed_replies_are_faults() {
        let long_line = [b"250 ".as_slice(), &[b'x'; REPLY_LINE_OCTETS_MAX]].concat();
        let many_lines = b"250-x\r\n".repeat(REPLY_LINES_MAX + 1);
        let wide = [b"250-".as_slice(), &[b'x'; 900], b"\r\n"].concat().repeat(80);
        let cases: Vec<(&[u8], ReplyFault)> = vec![
            (b"hello\r\n", ReplyFault::NoReply),
            (b"\r\n", ReplyFault::NoReply),
            (b"25\r\n", ReplyFault::NoReply),
            (b"2500 ok\r\n", ReplyFault::NoReply),
            (b"250\tok\r\n", ReplyFault::NoReply),
            (b" 250 ok\r\n", ReplyFault::NoReply),
            (b"150 ok\r\n", ReplyFault::NoReply),
            (b"650 ok\r\n", ReplyFault::NoReply),
            (b"2x0 ok\r\n", ReplyFault::NoReply),
            (b"HTTP/1.1 400 Bad Request\r\n", ReplyFault::NoReply),
            (b"250_ok\r\n", ReplyFault::NoReply),
            (b"\xef\xbb\xbf250 ok\r\n", ReplyFault::NoReply),
            (b"250-ok\r\n251 ok\r\n", ReplyFault::CodesDiffer),
            (b"250-ok\r\n550 no\r\n", ReplyFault::CodesDiffer),
            (b"250-ok\r\nok\r\n", ReplyFault::NoReply),
            (b"250 ok\n", ReplyFault::BareLineEnd),
            (b"250 o\rk\r\n", ReplyFault::BareLineEnd),
            (b"250 ok\r\r\n", ReplyFault::BareLineEnd),
            (b"250 o\0k\r\n", ReplyFault::BareLineEnd),
            (&long_line, ReplyFault::LineLong),
            (&many_lines, ReplyFault::ReplyLong),
            (&wide, ReplyFault::ReplyLong),
        ];
        for (octets, fault) in cases {
            let shown = String::from_utf8_lossy(&octets[..octets.len().min(40)]).into_owned();
            assert_eq!(all(octets), Err(fault), "{shown:?}");
            // The same, octet by octet.
            let mut parser = ReplyParser::default();
            let cut = octets.chunks(1).find_map(|mut octet| parser.next(&mut octet).err());
            assert_eq!(cut, Some(fault), "{shown:?} in single octets");
        }
    }
}
