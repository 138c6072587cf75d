//! OAUTHBEARER (RFC 7628) and XOAUTH2: a token of an issuer. Only within TLS: whoever has the token is the account.

use super::{Answer, Question, SaslFault, Secret, Turn, text};

const SEPARATOR: char = '\u{1}';

/// How the response is written, and how a failure is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `n,a=account,^Ahost=…^Aauth=Bearer …^A^A`.
    Rfc7628,
    /// `user=account^Aauth=Bearer …^A^A`.
    Xoauth2,
}

/// One response; after a failure a second one that says nothing (RFC 7628 §3.2.3).
#[derive(Debug)]
pub struct Bearer {
    form: Form,
    failed: Option<SaslFault>,
}

impl Bearer {
    pub(super) fn new(form: Form) -> Self {
        Self { form, failed: None }
    }

    pub(super) fn respond(&mut self, response: &[u8]) -> Turn {
        if let Some(fault) = self.failed {
            return Turn::Failed(fault);
        }
        let read = text(response).and_then(|response| match self.form {
            Form::Rfc7628 => rfc7628(response),
            Form::Xoauth2 => xoauth2(response),
        });
        match read {
            Some((name, token)) => Turn::Ask(Question::Token {
                name: name.to_owned(),
                token: Secret::new(token),
            }),
            None => Turn::Failed(SaslFault::Malformed),
        }
    }

    pub(super) fn answer(&mut self, answer: &Answer) -> Turn {
        match answer {
            Answer::Vouched => Turn::Succeeded,
            Answer::Unavailable => Turn::Failed(SaslFault::Unavailable),
            Answer::Refused | Answer::Keys { .. } => {
                self.failed = Some(SaslFault::Refused);
                // RFC 7628 §3.2.2; what XOAUTH2's inventors send looks alike.
                Turn::Challenge(match self.form {
                    Form::Rfc7628 => br#"{"status":"invalid_token"}"#.to_vec(),
                    Form::Xoauth2 => br#"{"status":"401","schemes":"bearer","scope":""}"#.to_vec(),
                })
            }
        }
    }
}

/// RFC 7628 §3.1: a GS2 header, then `key=value` pairs. Channel binding is not of this mechanism.
fn rfc7628(response: &str) -> Option<(&str, &str)> {
    let (header, pairs) = response.split_once(SEPARATOR)?;
    let name = header.strip_prefix("n,").or_else(|| header.strip_prefix("y,"))?;
    let name = name.strip_suffix(',')?;
    let name = match name {
        "" => "",
        _ => name.strip_prefix("a=")?,
    };
    Some((name, token(pairs)?))
}

fn xoauth2(response: &str) -> Option<(&str, &str)> {
    let (user, pairs) = response.split_once(SEPARATOR)?;
    let name = user.strip_prefix("user=").filter(|name| !name.is_empty())?;
    Some((name, token(pairs)?))
}

/// The token among pairs; each ends in a separator, and another one ends them all.
fn token(pairs: &str) -> Option<&str> {
    let pairs = pairs.strip_suffix(SEPARATOR)?.strip_suffix(SEPARATOR)?;
    let mut found = None;
    for pair in pairs.split(SEPARATOR) {
        let (key, value) = pair.split_once('=')?;
        if key == "auth" {
            let (scheme, token) = value.split_once(' ')?;
            let is_token = |token: &&str| !token.is_empty() && token.bytes().all(|octet| octet.is_ascii_graphic());
            if !scheme.eq_ignore_ascii_case("bearer") || found.is_some() {
                return None;
            }
            found = Some(Some(token.trim()).filter(is_token)?);
        }
    }
    found
}
