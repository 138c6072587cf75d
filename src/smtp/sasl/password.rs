//! PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login): the password itself, so only within TLS.

use super::{Question, SaslFault, Secret, Turn, text};

/// LOGIN's first challenge; clients compare it, capital letters and colon included.
pub(super) const USERNAME: &[u8] = b"Username:";
const PASSWORD: &[u8] = b"Password:";

/// One response: authorization identity, account, password.
#[derive(Debug)]
pub struct Plain;

impl Plain {
    pub(super) fn respond(&mut self, response: &[u8]) -> Turn {
        let mut parts = response.split(|octet| *octet == 0);
        let (Some(authorization), Some(name), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Turn::Failed(SaslFault::Malformed);
        };
        let (Some(authorization), Some(name), Some(password)) = (text(authorization), text(name), text(password))
        else {
            return Turn::Failed(SaslFault::Malformed);
        };
        // RFC 4616 §2: both are 1*SAFE.
        if name.is_empty() || password.is_empty() {
            return Turn::Failed(SaslFault::Malformed);
        }
        if !authorization.is_empty() && authorization != name {
            return Turn::Failed(SaslFault::Authorization);
        }
        Turn::Ask(Question::Password {
            name: name.to_owned(),
            password: Secret::new(password),
        })
    }
}

/// Two responses: account, password.
#[derive(Debug, Default)]
pub struct Login {
    name: Option<String>,
}

impl Login {
    pub(super) fn respond(&mut self, response: &[u8]) -> Turn {
        let Some(said) = text(response).filter(|said| !said.is_empty()) else {
            return Turn::Failed(SaslFault::Malformed);
        };
        match self.name.take() {
            None => {
                self.name = Some(said.to_owned());
                Turn::Challenge(PASSWORD.to_vec())
            }
            Some(name) => Turn::Ask(Question::Password {
                name,
                password: Secret::new(said),
            }),
        }
    }
}
