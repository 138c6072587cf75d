//! Command lines (RFC 5321 §4.1), strictly: one grammar, no repairs.
//!
//! In: one line without its CRLF, free of CR, LF and NUL. Out: a [`Command`], or the [`CommandFault`] that names
//! its reply in [`super::replies`].
//! Never: a guess. Blanks where the grammar has none, source routes, parameters given twice are refused.

use super::params::{MailParameters, RcptParameters};
use crate::mail::{AddressFault, Domain, Mailbox, ReversePath};

/// A command line understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    /// `HELO domain`.
    Helo(&'a str),
    /// `EHLO domain` or `EHLO [literal]`.
    Ehlo(&'a str),
    /// `MAIL FROM:<path> parameters`.
    Mail(ReversePath, Box<MailParameters>),
    /// `RCPT TO:<path> parameters`; the parameters are read when the transaction is known.
    Rcpt(ForwardPath, RcptParameters),
    /// `DATA`.
    Data,
    /// `BDAT octets [LAST]` (RFC 3030 §2).
    Bdat {
        /// Octets that follow.
        octets: u64,
        /// Whether they are the last.
        last: bool,
    },
    /// `STARTTLS`.
    StartTls,
    /// `AUTH mechanism [initial-response]`, the response still in base64.
    Auth(&'a str, Option<&'a str>),
    /// `XCLIENT attribute=value…`.
    Xclient(&'a str),
    /// `RSET`.
    Rset,
    /// `NOOP`.
    Noop,
    /// `QUIT`.
    Quit,
    /// `HELP`.
    Help,
    /// `VRFY string`.
    Vrfy,
    /// `EXPN string`.
    Expn,
}

/// What a RCPT names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ForwardPath {
    /// `<Postmaster>` without domain, in any case (RFC 5321 §4.1.1.3).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
}

/// Why a line is not a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandFault {
    /// No such verb.
    Unknown,
    /// BDAT without a readable number of octets: nobody knows where commands go on, so the connection is cut.
    ChunkSize,
    /// The verb of another protocol's request line (HTTP): the connection is cut.
    OtherProtocol,
    /// The line is not UTF-8.
    NotUtf8,
    /// Something after a verb that takes nothing, nothing after one that needs something, or a malformed argument.
    Argument,
    /// The EHLO or HELO argument is neither a domain nor an address literal.
    Hello,
    /// A blank before the `<`, or text that is not a path.
    Path,
    /// The reverse-path is not a mailbox.
    ReversePath(AddressFault),
    /// The forward-path is not a mailbox.
    ForwardPath(AddressFault),
    /// A parameter that is not offered, or any after HELO.
    ParameterUnknown,
    /// A parameter given twice.
    ParameterTwice,
    /// A parameter's value is malformed.
    ParameterValue,
}

/// Methods of HTTP request lines: a browser has been led here.
const HTTP_METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI",
];

/// Which parameters a client may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// After EHLO: all that we offer.
    Extended,
    /// After HELO: none.
    Plain,
}

/// Reads one line without its CRLF.
pub fn parse(line: &[u8], dialect: Dialect) -> Result<Command<'_>, CommandFault> {
    let line = std::str::from_utf8(line).map_err(|_| CommandFault::NotUtf8)?;
    // RFC 5321 §4.1.1: white space before the CRLF is tolerated; nowhere else.
    let line = line.trim_end_matches([' ', '\t']);
    let (verb, rest) = line
        .split_once(' ')
        .map_or((line, None), |(verb, rest)| (verb, Some(rest)));
    let is = |word: &str| verb.eq_ignore_ascii_case(word);
    if is("MAIL") {
        mail(rest, dialect)
    } else if is("RCPT") {
        rcpt(rest, dialect)
    } else if is("DATA") {
        alone(rest, Command::Data)
    } else if is("EHLO") {
        hello(rest).map(Command::Ehlo)
    } else if is("HELO") {
        hello(rest).map(Command::Helo)
    } else if is("RSET") {
        alone(rest, Command::Rset)
    } else if is("QUIT") {
        alone(rest, Command::Quit)
    } else if is("NOOP") {
        with_text(rest, Command::Noop)
    } else if is("HELP") {
        with_text(rest, Command::Help)
    } else if is("VRFY") {
        rest.map_or(Err(CommandFault::Argument), |_| with_text(rest, Command::Vrfy))
    } else if is("EXPN") {
        rest.map_or(Err(CommandFault::Argument), |_| with_text(rest, Command::Expn))
    } else if is("BDAT") {
        bdat(rest)
    } else if is("STARTTLS") {
        alone(rest, Command::StartTls)
    } else if is("AUTH") {
        auth(rest)
    } else if is("XCLIENT") {
        rest.map_or(Err(CommandFault::Argument), |text| {
            with_text(rest, Command::Xclient(text))
        })
    } else if HTTP_METHODS.contains(&verb) && rest.is_some() {
        Err(CommandFault::OtherProtocol)
    } else {
        Err(CommandFault::Unknown)
    }
}

fn alone<'a>(rest: Option<&str>, command: Command<'a>) -> Result<Command<'a>, CommandFault> {
    match rest {
        None => Ok(command),
        Some(_) => Err(CommandFault::Argument),
    }
}

/// A verb with a free string; what it says does not matter, but control characters are no string.
fn with_text<'a>(rest: Option<&str>, command: Command<'a>) -> Result<Command<'a>, CommandFault> {
    match rest {
        Some(text) if text.chars().any(char::is_control) => Err(CommandFault::Argument),
        Some(_) | None => Ok(command),
    }
}

fn hello(rest: Option<&str>) -> Result<&str, CommandFault> {
    let name = rest.ok_or(CommandFault::Hello)?;
    // RFC 6531 §3.7.1: a domain in EHLO is ASCII (A-labels).
    if !name.is_ascii() || Domain::parse(name).is_err() {
        return Err(CommandFault::Hello);
    }
    Ok(name)
}

fn mail(rest: Option<&str>, dialect: Dialect) -> Result<Command<'static>, CommandFault> {
    let (path, parameters) = split_path(rest, "FROM:")?;
    let parameters = MailParameters::parse(parameters, dialect)?;
    let path = if path.is_empty() {
        ReversePath::Null
    } else {
        ReversePath::Mailbox(Mailbox::parse(path).map_err(CommandFault::ReversePath)?)
    };
    Ok(Command::Mail(path, Box::new(parameters)))
}

fn rcpt(rest: Option<&str>, dialect: Dialect) -> Result<Command<'static>, CommandFault> {
    let (path, parameters) = split_path(rest, "TO:")?;
    let parameters = RcptParameters::parse(parameters, dialect)?;
    let path = if path.eq_ignore_ascii_case("postmaster") {
        ForwardPath::Postmaster
    } else {
        ForwardPath::Mailbox(Mailbox::parse(path).map_err(CommandFault::ForwardPath)?)
    };
    Ok(Command::Rcpt(path, parameters))
}

/// RFC 3030 §2: `BDAT chunk-size [LAST]`.
fn bdat(rest: Option<&str>) -> Result<Command<'static>, CommandFault> {
    let rest = rest.ok_or(CommandFault::ChunkSize)?;
    let (size, last) = match rest.split_once(' ') {
        Some((size, word)) if word.eq_ignore_ascii_case("LAST") => (size, true),
        Some(_) => return Err(CommandFault::ChunkSize),
        None => (rest, false),
    };
    if size.is_empty() || size.len() > 20 || !size.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(CommandFault::ChunkSize);
    }
    let octets = size.parse().map_err(|_| CommandFault::ChunkSize)?;
    Ok(Command::Bdat { octets, last })
}

/// RFC 4954 §4: a mechanism, and an initial response without blanks.
fn auth(rest: Option<&str>) -> Result<Command<'_>, CommandFault> {
    let rest = rest.ok_or(CommandFault::Argument)?;
    let (mechanism, initial) = match rest.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial)),
        None => (rest, None),
    };
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    let malformed = mechanism.is_empty() || !mechanism.bytes().all(is_name);
    if malformed || initial.is_some_and(|initial| initial.is_empty() || initial.contains(' ')) {
        return Err(CommandFault::Argument);
    }
    Ok(Command::Auth(mechanism, initial))
}

/// Splits `FROM:<path> parameters`; the parameters are empty or begin behind exactly one blank.
fn split_path<'a>(rest: Option<&'a str>, keyword: &str) -> Result<(&'a str, &'a str), CommandFault> {
    let rest = rest.ok_or(CommandFault::Argument)?;
    let (head, tail) = rest.split_at_checked(keyword.len()).ok_or(CommandFault::Argument)?;
    if !head.eq_ignore_ascii_case(keyword) {
        return Err(CommandFault::Argument);
    }
    let inner = tail.strip_prefix('<').ok_or(CommandFault::Path)?;
    let end = path_end(inner).ok_or(CommandFault::Path)?;
    let (path, behind) = (&inner[..end], &inner[end + 1..]);
    match behind.strip_prefix(' ') {
        Some(parameters) => Ok((path, parameters)),
        None if behind.is_empty() => Ok((path, "")),
        None => Err(CommandFault::Path),
    }
}

/// Where the `>` is that ends a path; a quoted local-part may hold others.
fn path_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return memchr::memchr(b'>', bytes);
    }
    let mut index = 1;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 2,
            b'"' => return memchr::memchr(b'>', &bytes[index..]).map(|end| index + end),
            _ => index += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> CommandFault {
        parse(line.as_bytes(), Dialect::Extended).expect_err(line)
    }

    fn reverse_path(line: &str) -> String {
        match parse(line.as_bytes(), Dialect::Extended) {
            Ok(Command::Mail(path, _)) => path.to_string(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn reads_paths() {
        assert_eq!(reverse_path("MAIL FROM:<>"), "<>");
        assert_eq!(reverse_path("mail from:<a@b>  "), "<a@b>");
        assert_eq!(
            reverse_path("MAIL From:<\"a > b\"@c.example> SIZE=1"),
            "<\"a > b\"@c.example>"
        );
        assert_eq!(reverse_path("MAIL FROM:<\"\\\">\"@c.example>"), "<\"\\\">\"@c.example>");
        for line in ["RCPT TO:<Postmaster>", "rcpt to:<POSTMASTER>"] {
            let command = parse(line.as_bytes(), Dialect::Plain);
            assert_eq!(
                command,
                Ok(Command::Rcpt(ForwardPath::Postmaster, RcptParameters::default()))
            );
        }
    }

    #[test]
    fn refuses_the_rest() {
        use CommandFault as F;
        for (line, expected) in [
            ("", F::Unknown),
            (" NOOP", F::Unknown),
            ("NOOPX", F::Unknown),
            ("NOOP\tx", F::Unknown),
            ("get / HTTP/1.1", F::Unknown),
            ("GET / HTTP/1.1", F::OtherProtocol),
            ("POST /x HTTP/1.0", F::OtherProtocol),
            ("STARTTLS now", F::Argument),
            ("AUTH", F::Argument),
            ("AUTH PLAIN AA== x", F::Argument),
            ("AUTH PL\u{e4}IN", F::Argument),
            ("XCLIENT", F::Argument),
            ("BDAT", F::ChunkSize),
            ("BDAT -1", F::ChunkSize),
            ("BDAT 3 FIRST", F::ChunkSize),
            ("BDAT 3  LAST", F::ChunkSize),
            ("BDAT 99999999999999999999", F::ChunkSize),
            ("DATA x", F::Argument),
            ("RSET x", F::Argument),
            ("QUIT x", F::Argument),
            ("VRFY", F::Argument),
            ("EXPN", F::Argument),
            ("NOOP \u{7}", F::Argument),
            ("EHLO", F::Hello),
            ("EHLO a b", F::Hello),
            ("EHLO b\u{fc}cher.example", F::Hello),
            ("HELO [1.2.3]", F::Hello),
            ("MAIL", F::Argument),
            ("MAIL <a@b>", F::Argument),
            ("MAIL TO:<a@b>", F::Argument),
            ("MAIL FROM <a@b>", F::Argument),
            ("MAIL FROM: <a@b>", F::Path),
            ("MAIL FROM:a@b", F::Path),
            ("MAIL FROM:<a@b", F::Path),
            ("MAIL FROM:<a@b>x", F::Path),
            ("MAIL FROM:<\"a@b>", F::Path),
            ("MAIL FROM:<\"a\\", F::Path),
            ("MAIL FROM:<a@b>  SIZE=1", F::ParameterValue),
            ("MAIL FROM:<<a@b>>", F::Path),
            ("MAIL FROM:<< a@b>", F::ReversePath(AddressFault::Control)),
            ("MAIL FROM:< a@b>", F::ReversePath(AddressFault::Control)),
            ("MAIL FROM:<a>", F::ReversePath(AddressFault::NoDomain)),
            ("MAIL FROM:<@x:a@b>", F::ReversePath(AddressFault::SourceRoute)),
            ("MAIL FROM:<postmaster>", F::ReversePath(AddressFault::NoDomain)),
            ("RCPT TO:<>", F::ForwardPath(AddressFault::Empty)),
            ("RCPT TO:<@x,@y:a@b>", F::ForwardPath(AddressFault::SourceRoute)),
            ("RCPT TO:<a@b@c>", F::ForwardPath(AddressFault::Domain)),
            ("RCPT TO:<a@b.>", F::ForwardPath(AddressFault::Domain)),
        ] {
            assert_eq!(fault(line), expected, "{line:?}");
        }
        assert_eq!(parse(b"NOOP \xff", Dialect::Extended), Err(F::NotUtf8));
    }
}
