//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the client proves that it knows the password, and
//! neither a listener nor our own store learns it.
//!
//! In: the client's two messages, stored keys. Out: the server's two messages.
//! Never: a channel binding ignored. A client that could have bound the exchange and believes that we cannot (`y`)
//! has somebody in between, if we can.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::{Answer, Question, SaslFault, Turn, text};

/// What the exchange may be checked against (RFC 5802 §3): nobody can log in with it.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// Salt of the password.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2; at least 4096 (RFC 7677 §4).
    pub iterations: u32,
    /// `H(ClientKey)`.
    pub stored_key: [u8; 32],
    /// `ServerKey`.
    pub server_key: [u8; 32],
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScramKeys({} rounds)", self.iterations)
    }
}

impl ScramKeys {
    /// Keys of a salted password (RFC 5802 §3 `SaltedPassword`).
    #[must_use]
    pub fn of_salted(salted: &[u8], salt: &[u8], iterations: u32) -> Self {
        Self {
            salt: salt.to_vec(),
            iterations,
            stored_key: Sha256::digest(mac(salted, &[b"Client Key"])).into(),
            server_key: mac(salted, &[b"Server Key"]),
        }
    }

    /// Keys that nobody has the password to; always the same for one name, so that asking twice tells nothing.
    #[must_use]
    pub fn decoy(name: &str, key: &[u8]) -> Self {
        let of = |what: &[u8]| mac(key, &[what, name.as_bytes()]);
        Self {
            salt: of(b"salt")[..16].to_vec(),
            iterations: ITERATIONS,
            stored_key: of(b"stored"),
            server_key: of(b"server"),
        }
    }
}

/// Rounds of new keys.
pub const ITERATIONS: u32 = 10_000;
/// Longest name, in octets.
const NAME_OCTETS_MAX: usize = 320;

/// Which form of the mechanism was chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// SCRAM-SHA-256.
    Unbound,
    /// SCRAM-SHA-256-PLUS.
    Bound,
}

/// What a TLS connection can be bound to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Binding {
    /// `tls-exporter` (RFC 9266): with TLS 1.3 only.
    pub exporter: Option<Vec<u8>>,
}

/// One exchange.
#[derive(Debug)]
pub struct Scram {
    form: Form,
    binding: Binding,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for the client's first message.
    First,
    /// Waits for keys.
    Asked(First),
    /// Waits for the client's final message.
    Final(Box<Pending>),
    /// Waits for the client's word that it has seen ours.
    Proven,
    Over,
}

/// The client's first message.
#[derive(Debug)]
struct First {
    gs2_header: String,
    bare: String,
    nonce: String,
}

/// What the final message is checked against.
#[derive(Debug)]
struct Pending {
    first: First,
    nonce: String,
    server_first: String,
    keys: ScramKeys,
    exists: bool,
}

impl Scram {
    pub(super) fn new(form: Form, binding: Binding) -> Self {
        Self {
            form,
            binding,
            state: State::First,
        }
    }

    pub(super) fn respond(&mut self, response: &[u8]) -> Turn {
        let Some(message) = text(response) else {
            return Turn::Failed(SaslFault::Malformed);
        };
        match std::mem::replace(&mut self.state, State::Over) {
            State::First => match self.first(message) {
                Ok((first, name)) => {
                    self.state = State::Asked(first);
                    Turn::Ask(Question::Keys { name })
                }
                Err(fault) => Turn::Failed(fault),
            },
            State::Final(pending) => match self.finish(message, &pending) {
                Ok(server_final) => {
                    self.state = State::Proven;
                    Turn::Challenge(server_final)
                }
                Err(fault) => Turn::Failed(fault),
            },
            // RFC 4954 §4: success carries no data, so the server's proof went out as a challenge.
            State::Proven if message.is_empty() => Turn::Succeeded,
            State::Proven | State::Asked(_) | State::Over => Turn::Failed(SaslFault::Malformed),
        }
    }

    pub(super) fn answer(&mut self, answer: Answer) -> Turn {
        let State::Asked(first) = std::mem::replace(&mut self.state, State::Over) else {
            return Turn::Failed(SaslFault::Malformed);
        };
        let (keys, nonce, exists) = match answer {
            Answer::Keys { keys, nonce, exists } => (keys, nonce, exists),
            Answer::Unavailable => return Turn::Failed(SaslFault::Unavailable),
            Answer::Refused | Answer::Vouched => return Turn::Failed(SaslFault::Refused),
        };
        let nonce = format!("{}{nonce}", first.nonce);
        let salt = BASE64.encode(&keys.salt);
        let server_first = format!("r={nonce},s={salt},i={}", keys.iterations);
        let challenge = server_first.clone().into_bytes();
        self.state = State::Final(Box::new(Pending {
            first,
            nonce,
            server_first,
            keys,
            exists,
        }));
        Turn::Challenge(challenge)
    }

    /// RFC 5802 §7 `client-first-message`.
    fn first(&self, message: &str) -> Result<(First, String), SaslFault> {
        let malformed = SaslFault::Malformed;
        let (flag, rest) = message.split_once(',').ok_or(malformed)?;
        let (authorization, bare) = rest.split_once(',').ok_or(malformed)?;
        self.check_flag(flag)?;
        let mut attributes = bare.split(',');
        let name = attributes
            .next()
            .and_then(|first| first.strip_prefix("n="))
            .and_then(unescaped)
            .filter(|name| !name.is_empty() && name.len() <= NAME_OCTETS_MAX)
            .ok_or(malformed)?;
        let nonce = attributes
            .next()
            .and_then(|second| second.strip_prefix("r="))
            .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|octet| octet.is_ascii_graphic()))
            .ok_or(malformed)?;
        match authorization {
            // Some clients write the name of nobody.
            "" | "a=" => {}
            _ => {
                let other = authorization.strip_prefix("a=").and_then(unescaped).ok_or(malformed)?;
                if other != name {
                    return Err(SaslFault::Authorization);
                }
            }
        }
        let first = First {
            gs2_header: format!("{flag},{authorization},"),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
        };
        Ok((first, name))
    }

    /// RFC 5802 §6.
    fn check_flag(&self, flag: &str) -> Result<(), SaslFault> {
        match (flag, self.form) {
            ("n", Form::Unbound) => Ok(()),
            // It could, and was not told that we can.
            ("y", Form::Unbound) if self.binding.exporter.is_none() => Ok(()),
            ("y", Form::Unbound) => Err(SaslFault::Binding),
            ("p=tls-exporter", Form::Bound) if self.binding.exporter.is_some() => Ok(()),
            _ => Err(SaslFault::Malformed),
        }
    }

    /// RFC 5802 §7 `client-final-message`; gives the server's final message.
    fn finish(&self, message: &str, pending: &Pending) -> Result<Vec<u8>, SaslFault> {
        let malformed = SaslFault::Malformed;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(malformed)?;
        let proof: [u8; 32] = decoded(proof)?.try_into().map_err(|_| malformed)?;
        let mut attributes = without_proof.split(',');
        let bound = attributes
            .next()
            .and_then(|text| text.strip_prefix("c="))
            .ok_or(malformed)?;
        let nonce = attributes
            .next()
            .and_then(|text| text.strip_prefix("r="))
            .ok_or(malformed)?;
        let mut expected = pending.first.gs2_header.clone().into_bytes();
        if self.form == Form::Bound {
            expected.extend_from_slice(self.binding.exporter.as_deref().unwrap_or_default());
        }
        if decoded(bound)? != expected {
            return Err(SaslFault::Binding);
        }
        if nonce != pending.nonce {
            return Err(malformed);
        }
        let message = [
            pending.first.bare.as_bytes(),
            b",",
            pending.server_first.as_bytes(),
            b",",
            without_proof.as_bytes(),
        ];
        let signature = mac(&pending.keys.stored_key, &message);
        let mut client_key = proof;
        client_key
            .iter_mut()
            .zip(signature)
            .for_each(|(key, octet)| *key ^= octet);
        let stored: [u8; 32] = Sha256::digest(client_key).into();
        // What is compared is a digest of what the client sent: how long it takes tells nothing.
        if stored != pending.keys.stored_key || !pending.exists {
            return Err(SaslFault::Refused);
        }
        let verifier = BASE64.encode(mac(&pending.keys.server_key, &message));
        Ok(format!("v={verifier}").into_bytes())
    }
}

/// RFC 5802 §5.1 `saslname`: `=2C` is a comma, `=3D` an equals sign.
fn unescaped(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('=') {
        out.push_str(&rest[..at]);
        out.push(match rest.get(at..at + 3)? {
            "=2C" => ',',
            "=3D" => '=',
            _ => return None,
        });
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    Some(out)
}

fn decoded(text: &str) -> Result<Vec<u8>, SaslFault> {
    BASE64.decode(text).map_err(|_| SaslFault::Malformed)
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
