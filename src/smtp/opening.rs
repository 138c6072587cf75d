//! How a session with a next hop begins, and why it ends.

use super::reply_parser::ReplyFault;
use super::sign_in::{SignIn, SignInFault};
use crate::mail::Reply;

/// Whether to use PIPELINING.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pipelining {
    /// If the peer offers it.
    WhereOffered,
    /// Never: for peers that offer it and cannot do it.
    Never,
}

/// Whether the connection becomes a protected one by STARTTLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartTls {
    /// No.
    Never,
    /// If the peer offers it and does not refuse it.
    WhereOffered,
    /// Or there is no session.
    Required,
    /// The connection is protected from its first octet.
    Already,
}

/// Whether it is proved over TLS whom we talk to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// Yes: by a certificate of its name, or its key.
    Proved,
    /// No: it could be anybody who sits on the way.
    Unproved,
}

/// How a session begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// EHLO argument.
    pub hostname: String,
    /// Whether to use PIPELINING.
    pub pipelining: Pipelining,
    /// Whether to use STARTTLS.
    pub starttls: StartTls,
    /// Who we are, if the peer is to know.
    pub sign_in: Option<SignIn>,
}

/// Why a session is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closing {
    /// The peer refused the connection, or EHLO and HELO.
    Refused(Reply),
    /// 421 at any later time.
    Unavailable(Reply),
    /// The peer does not speak SMTP.
    Fault(ReplyFault),
    /// The session cannot be what it has to be.
    Unfit(Unfit),
    /// The driver lost the connection or gave up waiting.
    Lost,
    /// QUIT was answered.
    Quit,
}

/// Why a session cannot be what it has to be. No mail has been offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// TLS is required and not offered.
    TlsNotOffered,
    /// TLS is required and STARTTLS was refused.
    TlsRefused(Reply),
    /// Octets came behind the answer to STARTTLS that TLS does not protect: somebody put them in.
    TlsInjected,
    /// The peer offers no mechanism that may be used.
    NoMechanism,
    /// The secret may not be said over this connection.
    NotProtected,
    /// The secret may not be said to a peer that nothing proves, and the peer takes nothing else.
    NotProved,
    /// The peer does not take who we say we are.
    SignInRefused(Reply),
    /// The exchange went wrong.
    SignInBroken(SignInFault),
}
