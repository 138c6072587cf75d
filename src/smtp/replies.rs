//! Every reply that the protocol machine and the listener give by themselves, in one place.
//!
//! Verdicts about senders and recipients come from the gate (`resolver`, `policy`). The texts are public: plain,
//! and they give nothing away (STYLE §6).

use std::borrow::Cow;

use super::command::CommandFault;
use super::data::ContentFault;
use crate::mail::{AddressFault, EnhancedStatus, Reply};

const fn fixed(code: u16, class: u8, subject: u16, detail: u16, text: &'static str) -> Reply {
    Reply {
        code,
        status: Some(EnhancedStatus::new(class, subject, detail)),
        text: Cow::Borrowed(text),
    }
}

/// Greeting (RFC 5321 §3.1).
#[must_use]
pub fn greeting(hostname: &str) -> Reply {
    Reply::bare(220, format!("{hostname} ESMTP muster"))
}

/// HELO (RFC 5321 §4.1.1.1): the domain, and no extensions.
#[must_use]
pub fn helo(hostname: &str) -> Reply {
    Reply::bare(250, hostname.to_owned())
}

/// 221 to QUIT (RFC 5321 §4.1.1.10).
pub const GOODBYE: Reply = fixed(221, 2, 0, 0, "closing");
/// MAIL accepted.
pub const SENDER_OK: Reply = fixed(250, 2, 1, 0, "sender ok");
/// RCPT accepted.
pub const RECIPIENT_OK: Reply = fixed(250, 2, 1, 5, "recipient ok");
/// DATA: begin (RFC 5321 §4.1.1.4).
pub const BEGIN_CONTENT: Reply = Reply {
    code: 354,
    status: None,
    text: Cow::Borrowed("end with <CRLF>.<CRLF>"),
};
/// RSET.
pub const RESET: Reply = fixed(250, 2, 0, 0, "reset");
/// NOOP.
pub const NOTHING_DONE: Reply = fixed(250, 2, 0, 0, "ok");
/// HELP (RFC 5321 §4.1.1.8).
pub const HELP: Reply = fixed(
    214,
    2,
    0,
    0,
    "HELO EHLO MAIL RCPT DATA RSET NOOP QUIT HELP VRFY\nsee RFC 5321",
);
/// VRFY (RFC 5321 §3.5.3, §7.3): neither yes nor no; RCPT gives the answer.
pub const NOT_VERIFIED: Reply = fixed(252, 2, 5, 0, "cannot verify here, but will take a message and try");
/// EXPN: who is in a group is not told. RFC 5321 §7.3: a command that is disabled for security gets 252, since any other
/// reply could be taken for yes or no.
pub const NOT_EXPANDED: Reply = fixed(
    252,
    2,
    5,
    0,
    "lists are not shown here, but will take a message and try",
);

/// No such command (RFC 5321 §4.2.4).
pub const UNKNOWN_COMMAND: Reply = fixed(500, 5, 5, 2, "command not recognised");
/// A command of an extension that is not offered (RFC 5321 §4.2.4).
pub const NOT_OFFERED: Reply = fixed(502, 5, 5, 1, "command not offered");
/// A bare CR or LF, or a NUL, in a command (RFC 5321 §4.1.2: characters that may not be are 501).
pub const BARE_LINE_END: Reply = fixed(501, 5, 5, 2, "lines must end in CRLF and hold no bare CR, LF or NUL");
/// A command line over `COMMAND_LINE_OCTETS_MAX` (RFC 5321 §4.5.3.1.9).
pub const LINE_TOO_LONG: Reply = fixed(500, 5, 5, 2, "line too long");
/// A response over `AUTH_LINE_OCTETS_MAX` (RFC 4954 §4).
pub const RESPONSE_TOO_LONG: Reply = fixed(500, 5, 5, 6, "response too long");
/// A command that is not UTF-8 (RFC 5321 §4.1.2).
pub const NOT_UTF8: Reply = fixed(501, 5, 5, 2, "the command is not valid UTF-8");
/// Malformed argument.
pub const BAD_ARGUMENT: Reply = fixed(501, 5, 5, 4, "syntax error in argument");
/// EHLO or HELO without a valid name (RFC 5321 §4.1.1.1).
pub const BAD_HELLO: Reply = fixed(501, 5, 5, 4, "expected a domain name or address literal");
/// Not `<…>` right behind the colon (RFC 5321 §3.3: no blank may stand there).
pub const BAD_PATH: Reply = fixed(501, 5, 5, 4, "expected <address> right after the colon");
/// Parameter that EHLO did not offer (RFC 5321 §4.1.1.11).
pub const UNKNOWN_PARAMETER: Reply = fixed(555, 5, 5, 4, "parameter not recognised");
/// Parameter given twice (RFC 3461 §4).
pub const PARAMETER_TWICE: Reply = fixed(501, 5, 5, 4, "parameter given twice");
/// Parameter with a malformed value.
pub const BAD_PARAMETER: Reply = fixed(501, 5, 5, 4, "malformed parameter");
/// Non-ASCII reverse-path without SMTPUTF8 (RFC 6531 §3.5: 550 to MAIL, 553 to RCPT).
pub const SENDER_NEEDS_SMTPUTF8: Reply = fixed(550, 5, 6, 7, "a non-ASCII address needs SMTPUTF8");
/// Non-ASCII forward-path without SMTPUTF8 (RFC 6531 §3.5).
pub const NEEDS_SMTPUTF8: Reply = fixed(553, 5, 6, 7, "a non-ASCII address needs SMTPUTF8");

/// MAIL or later before EHLO (RFC 5321 §4.1.4).
pub const HELLO_FIRST: Reply = fixed(503, 5, 5, 1, "say EHLO first");
/// MAIL within a transaction (RFC 5321 §4.1.4).
pub const NESTED_MAIL: Reply = fixed(503, 5, 5, 1, "sender already given");
/// RCPT or DATA without MAIL.
pub const MAIL_FIRST: Reply = fixed(503, 5, 5, 1, "say MAIL first");
/// DATA without an accepted RCPT (RFC 5321 §3.3, RFC 2920 §3.1).
pub const NO_RECIPIENTS: Reply = fixed(554, 5, 5, 1, "no valid recipients");
/// Octets behind DATA before the 354 (RFC 2920 §3.1: DATA ends its group). The connection is cut: were the DATA
/// refused, content would be read as commands.
pub const CONTENT_TOO_EARLY: Reply = fixed(554, 5, 5, 0, "content before 354");

/// 220 to STARTTLS (RFC 3207 §4).
pub const READY_FOR_TLS: Reply = fixed(220, 2, 0, 0, "ready for TLS");
/// STARTTLS within TLS.
pub const TLS_ALREADY: Reply = fixed(503, 5, 5, 1, "TLS is active already");
/// Octets behind STARTTLS, not within TLS. The connection is cut: whose they are, nobody knows.
pub const BEHIND_STARTTLS: Reply = fixed(
    421,
    4,
    7,
    0,
    "nothing may follow STARTTLS before the handshake, closing",
);
/// MAIL without TLS where it is required (RFC 3207 §4).
pub const TLS_FIRST: Reply = fixed(530, 5, 7, 0, "say STARTTLS first");
/// A handshake that could not be made is told nobody; this is for a listener that has lost its certificates.
pub const NO_TLS_NOW: Reply = fixed(454, 4, 7, 0, "TLS is not available for now");
/// A command that has no place in a transaction.
pub const NOT_IN_TRANSACTION: Reply = fixed(503, 5, 5, 1, "not within a transaction");

/// AUTH succeeded (RFC 4954 §6).
pub const AUTHENTICATED: Reply = fixed(235, 2, 7, 0, "authenticated");
/// MAIL without AUTH where it is required (RFC 4954 §6).
pub const AUTH_FIRST: Reply = fixed(530, 5, 7, 0, "authenticate first");
/// A second AUTH (RFC 4954 §4).
pub const AUTHENTICATED_ALREADY: Reply = fixed(503, 5, 5, 1, "authenticated already");
/// AUTH without TLS (RFC 4954 §6).
pub const AUTH_NEEDS_TLS: Reply = fixed(538, 5, 7, 11, "authentication needs TLS, say STARTTLS first");
/// A mechanism that is not offered (RFC 4954 §4).
pub const NO_SUCH_MECHANISM: Reply = fixed(504, 5, 5, 4, "mechanism not offered");
/// `*` (RFC 4954 §4).
pub const AUTH_CANCELLED: Reply = fixed(501, 5, 7, 0, "authentication cancelled");
/// A response that is not base64 (RFC 4954 §4).
pub const BAD_BASE64: Reply = fixed(501, 5, 5, 2, "the response is not base64");
/// A response that is not of the mechanism.
pub const BAD_RESPONSE: Reply = fixed(501, 5, 5, 2, "malformed response");
/// Wrong credentials (RFC 4954 §6). Which part is wrong is not told.
pub const BAD_CREDENTIALS: Reply = fixed(535, 5, 7, 8, "authentication credentials invalid");
/// Nobody can check credentials for now (RFC 4954 §6).
pub const AUTH_UNAVAILABLE: Reply = fixed(454, 4, 7, 0, "temporary authentication failure");
/// Failures over a limit.
pub const TOO_MANY_FAILURES: Reply = fixed(421, 4, 7, 0, "too many failed authentications, try again later");

/// What XCLIENT takes.
pub const XCLIENT_OFFER: &str = "XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT";

/// A chunk was taken (RFC 3030 §2).
pub const CHUNK_OK: Reply = fixed(250, 2, 0, 0, "chunk taken");
/// BDAT without a readable size. The connection is cut: nobody knows where the next command begins.
pub const BAD_CHUNK_SIZE: Reply = fixed(501, 5, 5, 4, "BDAT needs a number of octets, closing");
/// RCPT or DATA after a chunk (RFC 3030 §2).
pub const CHUNKS_UNDER_WAY: Reply = fixed(503, 5, 5, 1, "BDAT is under way, end it with LAST or RSET");

/// Too many RCPTs (RFC 5321 §4.5.3.1.10: 452, not 552): the rest in another transaction.
pub const TOO_MANY_RECIPIENTS: Reply = fixed(452, 4, 5, 3, "too many recipients, send the rest separately");
/// Larger than the listener takes (RFC 1870 §6).
pub const TOO_LARGE: Reply = fixed(552, 5, 3, 4, "message size exceeds fixed maximum message size");
/// Header section over its limit.
pub const HEADER_TOO_LARGE: Reply = fixed(552, 5, 3, 4, "header section too large");
/// Bare CR or LF, or a NUL, in content (RFC 5321 §2.3.8).
pub const BAD_CONTENT: Reply = fixed(550, 5, 6, 11, "the message holds a bare CR or LF, or a NUL");

/// Session errors over the limit.
pub const TOO_MANY_ERRORS: Reply = fixed(421, 4, 7, 0, "too many errors, closing");
/// Another protocol's request line.
pub const OTHER_PROTOCOL: Reply = fixed(421, 4, 7, 0, "this is SMTP, closing");
/// Sessions over a limit.
pub const TOO_MANY_SESSIONS: Reply = fixed(421, 4, 7, 0, "too many sessions, try again later");
/// Something was said before the greeting was whole (RFC 5321 §4.3.1: a client waits for it).
pub const SPOKE_TOO_EARLY: Reply = fixed(554, 5, 5, 1, "you spoke before you were greeted, closing");
/// Connections over a rate.
pub const TOO_MANY_CONNECTIONS: Reply = fixed(421, 4, 7, 0, "too many connections, try again later");
/// Messages over a rate.
pub const TOO_MANY_MESSAGES: Reply = fixed(450, 4, 7, 1, "too many messages, try again later");
/// Recipients over a rate. Not 452: the rest would come at once in the next transaction (RFC 5321 §4.5.3.1.10).
pub const RECIPIENTS_TOO_FAST: Reply = fixed(450, 4, 7, 1, "too many recipients, try again later");
/// The connection of a proxy without a readable PROXY header: whose it is is not known.
pub const NO_PROXY_HEADER: Reply = fixed(421, 4, 3, 5, "a PROXY header was expected here, closing");
/// The service stops (RFC 5321 §3.8).
pub const SHUTTING_DOWN: Reply = fixed(421, 4, 3, 2, "service stopping, try again later");
/// A wait was over (RFC 5321 §4.5.3.2).
pub const TIMEOUT: Reply = fixed(421, 4, 4, 2, "timeout, closing");
/// Content could not be written.
pub const NOT_STORED: Reply = fixed(451, 4, 3, 0, "the message could not be stored, try again later");
/// Content could not be written for want of room.
pub const NO_ROOM: Reply = fixed(452, 4, 3, 1, "insufficient system storage, try again later");

/// The reply to a line that is not a command.
#[must_use]
pub fn for_command_fault(fault: CommandFault) -> Reply {
    match fault {
        CommandFault::Unknown => UNKNOWN_COMMAND,
        CommandFault::ChunkSize => BAD_CHUNK_SIZE,
        CommandFault::OtherProtocol => OTHER_PROTOCOL,
        CommandFault::NotUtf8 => NOT_UTF8,
        CommandFault::Argument => BAD_ARGUMENT,
        CommandFault::Hello => BAD_HELLO,
        CommandFault::Path => BAD_PATH,
        // RFC 3463 X.1.7 and X.1.3: bad sender's, bad destination mailbox address syntax.
        CommandFault::ReversePath(fault) => fixed(501, 5, 1, 7, address_text(fault)),
        CommandFault::ForwardPath(fault) => fixed(501, 5, 1, 3, address_text(fault)),
        CommandFault::ParameterUnknown => UNKNOWN_PARAMETER,
        CommandFault::ParameterTwice => PARAMETER_TWICE,
        CommandFault::ParameterValue => BAD_PARAMETER,
    }
}

/// The reply after the true end of content with a fault.
#[must_use]
pub fn for_content_fault(fault: ContentFault) -> Reply {
    match fault {
        ContentFault::HeaderTooLarge => HEADER_TOO_LARGE,
        ContentFault::TooLarge => TOO_LARGE,
        ContentFault::BareLineEnd => BAD_CONTENT,
    }
}

fn address_text(fault: AddressFault) -> &'static str {
    match fault {
        AddressFault::Empty => "the address is empty",
        AddressFault::NoDomain => "the address has no domain",
        AddressFault::LocalPart => "the local-part is malformed",
        AddressFault::LocalPartLong => "the local-part is too long",
        AddressFault::Domain => "the domain is malformed",
        AddressFault::DomainLong => "the domain is too long",
        AddressFault::Control => "the address holds a blank or control character",
        AddressFault::SourceRoute => "source routes are not accepted",
    }
}
