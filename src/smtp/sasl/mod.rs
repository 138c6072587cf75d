//! SASL as our side speaks it (RFC 4422, RFC 4954): one exchange, from the first response to yes or no.
//!
//! In: decoded responses of the client, answers of who knows the accounts. Out: challenges, [`Question`]s, the end.
//! Never: a password or token kept longer than its question; a success that nobody vouched for.

mod bearer;
mod password;
pub mod scram;

pub use super::extension::{Mechanism, Mechanisms};
pub use super::sign_in::Secret;
use scram::{Binding, Scram, ScramKeys};

/// What is asked of who knows the accounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// Is this the password?
    Password {
        /// The account (authentication identity).
        name: String,
        /// What the client says.
        password: Secret,
    },
    /// Whose token is this?
    Token {
        /// The account that the client names; a token for another one proves nothing. May be empty (RFC 7628 §3.1).
        name: String,
        /// The token.
        token: Secret,
    },
    /// What the exchange may be checked against, without the password. Also for an account that does not exist: a
    /// decoy, so that nobody learns which do.
    Keys {
        /// The account.
        name: String,
    },
}

impl Question {
    /// The account it is about.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Password { name, .. } | Self::Token { name, .. } | Self::Keys { name } => name,
        }
    }
}

/// The answer to a [`Question`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Yes.
    Vouched,
    /// Keys, and what our side adds to the nonce: at least 18 octets nobody can guess, in base64.
    Keys {
        /// Keys of the account or a decoy.
        keys: ScramKeys,
        /// Our part of the nonce.
        nonce: String,
        /// False for a decoy: the exchange goes on and fails at its end.
        exists: bool,
    },
    /// No.
    Refused,
    /// Nobody can say for now.
    Unavailable,
}

/// Why an exchange failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SaslFault {
    /// A response that is not of the mechanism.
    Malformed,
    /// The credentials are wrong (RFC 4954 §4: 535).
    Refused,
    /// For now (454).
    Unavailable,
    /// The client asks to act for another account, which nobody may here.
    Authorization,
    /// The exchange was bound to another connection than ours: somebody is in between.
    Binding,
}

/// What an exchange does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Send this, not yet in base64, and wait for a response.
    Challenge(Vec<u8>),
    /// Ask, then [`Exchange::answer`].
    Ask(Question),
    /// Done: the client is who it says.
    Succeeded,
    /// Over.
    Failed(SaslFault),
}

/// One exchange.
#[derive(Debug)]
pub enum Exchange {
    /// PLAIN.
    Plain(password::Plain),
    /// LOGIN.
    Login(password::Login),
    /// SCRAM-SHA-256 and its PLUS form.
    Scram(Box<Scram>),
    /// OAUTHBEARER and XOAUTH2.
    Bearer(bearer::Bearer),
}

impl Exchange {
    /// Begins; `binding` is what the TLS connection can be bound to.
    #[must_use]
    pub fn new(mechanism: Mechanism, binding: Binding) -> Self {
        match mechanism {
            Mechanism::Plain => Self::Plain(password::Plain),
            Mechanism::Login => Self::Login(password::Login::default()),
            Mechanism::ScramSha256 => Self::Scram(Box::new(Scram::new(scram::Form::Unbound, binding))),
            Mechanism::ScramSha256Plus => Self::Scram(Box::new(Scram::new(scram::Form::Bound, binding))),
            Mechanism::OauthBearer => Self::Bearer(bearer::Bearer::new(bearer::Form::Rfc7628)),
            Mechanism::Xoauth2 => Self::Bearer(bearer::Bearer::new(bearer::Form::Xoauth2)),
        }
    }

    /// What is sent when AUTH came without an initial response (RFC 4954 §4): mostly nothing.
    #[must_use]
    pub fn prompt(&self) -> &'static [u8] {
        match self {
            Self::Login(_) => password::USERNAME,
            Self::Plain(_) | Self::Scram(_) | Self::Bearer(_) => b"",
        }
    }

    /// Takes a response of the client.
    pub fn respond(&mut self, response: &[u8]) -> Turn {
        match self {
            Self::Plain(plain) => plain.respond(response),
            Self::Login(login) => login.respond(response),
            Self::Scram(scram) => scram.respond(response),
            Self::Bearer(bearer) => bearer.respond(response),
        }
    }

    /// Takes the answer to the question.
    pub fn answer(&mut self, answer: Answer) -> Turn {
        match self {
            Self::Plain(_) | Self::Login(_) => match answer {
                Answer::Vouched => Turn::Succeeded,
                Answer::Unavailable => Turn::Failed(SaslFault::Unavailable),
                Answer::Refused | Answer::Keys { .. } => Turn::Failed(SaslFault::Refused),
            },
            Self::Scram(scram) => scram.answer(answer),
            Self::Bearer(bearer) => bearer.answer(&answer),
        }
    }
}

/// Text of a response, if it is UTF-8 without NUL.
fn text(octets: &[u8]) -> Option<&str> {
    std::str::from_utf8(octets).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
