//! The client's side of AUTH: one exchange as a pure machine.
//!
//! In: who we are, what the peer offers, its challenges. Out: the lines to say. RFC 4954 for the frame, RFC 4616 for
//! PLAIN, RFC 5802 and RFC 7677 for SCRAM, RFC 7628 for OAUTHBEARER; LOGIN and XOAUTH2 as every server takes them.
//! Never: a secret in `Debug`; a SCRAM server believed that did not prove that it knows the password.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use super::extension::{Mechanism, Mechanisms};

/// Most rounds of a SCRAM hash that we make for a server: an eighth of a second. Postfix with Cyrus SASL and Dovecot
/// ask for 4,096.
const ROUNDS_MAX: u32 = 200_000;
/// Fewest rounds (RFC 7677 §4): a false server with fewer would have our proof to guess passwords from.
const ROUNDS_MIN: u32 = 4_096;
/// Longest command line with an initial response (RFC 4954 §4): beyond it the response waits for a challenge.
const COMMAND_OCTETS_MAX: usize = 512;

/// A text that no log may show.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// For those who need it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(secret)")
    }
}

/// Who we are to a next hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignIn {
    /// Authentication identity.
    pub user: String,
    /// Password, or token for XOAUTH2.
    pub secret: Secret,
    /// Mechanisms that may be used.
    pub mechanisms: Mechanisms,
    /// Whether it may be said over a connection that others can read.
    pub in_clear: bool,
    /// Printable characters without commas, never the same twice: SCRAM's nonce (RFC 5802 §5.1).
    pub nonce: String,
}

/// Why an exchange cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignInFault {
    /// A challenge that the mechanism does not have.
    #[error("the challenge cannot be read")]
    Challenge,
    /// The SCRAM rounds are out of bounds.
    #[error("the number of hash rounds is out of bounds")]
    Rounds,
    /// The server did not prove that it knows the password.
    #[error("the server did not prove that it knows the password")]
    Unproved,
}

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange {
    sign_in: SignIn,
    mechanism: Mechanism,
    /// What is to be said to the next challenge, if that does not depend on it.
    ready: Vec<String>,
    scram: Scram,
}

#[derive(Debug, PartialEq, Eq)]
enum Scram {
    None,
    /// The server's first message is due.
    First {
        bare: String,
    },
    /// Its final message with this signature is due.
    Final {
        signature: [u8; 32],
    },
    Proved,
}

impl Exchange {
    /// Begins with a mechanism; returns the AUTH command, without CRLF.
    #[must_use]
    pub fn begin(sign_in: SignIn, mechanism: Mechanism) -> (Self, String) {
        let user = sign_in.user.as_str();
        let secret = sign_in.secret.reveal();
        let mut scram = Scram::None;
        let (first, ready) = match mechanism {
            Mechanism::Plain => (Some(format!("\0{user}\0{secret}")), Vec::new()),
            Mechanism::Login => (None, vec![secret.to_owned(), user.to_owned()]),
            // A challenge after it tells of a failure and wants an empty answer; with OAUTHBEARER a control-A.
            Mechanism::OauthBearer => (
                Some(format!("n,a={},\x01auth=Bearer {secret}\x01\x01", escaped(user))),
                vec!["\x01".to_owned()],
            ),
            // Wants to know of the TLS connection, which this machine does not: it is never chosen.
            Mechanism::ScramSha256Plus => (None, Vec::new()),
            Mechanism::Xoauth2 => (
                Some(format!("user={user}\x01auth=Bearer {secret}\x01\x01")),
                vec![String::new()],
            ),
            Mechanism::ScramSha256 => {
                let bare = format!("n={},r={}", escaped(user), sign_in.nonce);
                scram = Scram::First { bare: bare.clone() };
                (Some(format!("n,,{bare}")), Vec::new())
            }
        };
        let mut exchange = Self {
            sign_in,
            mechanism,
            ready,
            scram,
        };
        let mut command = format!("AUTH {}", mechanism.name());
        if let Some(first) = first {
            let encoded = STANDARD.encode(&first);
            if command.len() + encoded.len() + 3 <= COMMAND_OCTETS_MAX {
                command.push(' ');
                command.push_str(&encoded);
            } else {
                exchange.ready.push(first);
            }
        }
        (exchange, command)
    }

    /// What is said to a challenge (the text of a 334), without CRLF.
    pub fn answer(&mut self, challenge: &str) -> Result<String, SignInFault> {
        // RFC 4954 §4: a challenge that is not base64 ends the exchange, also where what it says does not matter.
        let message = STANDARD.decode(challenge.trim()).map_err(|_| SignInFault::Challenge)?;
        if let Some(ready) = self.ready.pop() {
            return Ok(STANDARD.encode(ready));
        }
        if self.mechanism != Mechanism::ScramSha256 {
            return Err(SignInFault::Challenge);
        }
        let message = String::from_utf8(message).map_err(|_| SignInFault::Challenge)?;
        match std::mem::replace(&mut self.scram, Scram::None) {
            Scram::First { bare } => self.prove(&bare, &message).map(|proof| STANDARD.encode(proof)),
            Scram::Final { signature } => {
                let said = message.strip_prefix("v=").ok_or(SignInFault::Unproved)?;
                let said = said.split(',').next().unwrap_or_default();
                let said = STANDARD.decode(said).map_err(|_| SignInFault::Unproved)?;
                if said != signature {
                    return Err(SignInFault::Unproved);
                }
                self.scram = Scram::Proved;
                Ok(String::new())
            }
            Scram::None | Scram::Proved => Err(SignInFault::Challenge),
        }
    }

    /// The peer says that it knows us (235): whether it may be believed.
    pub fn finish(&self) -> Result<(), SignInFault> {
        match self.scram {
            Scram::None | Scram::Proved => Ok(()),
            Scram::First { .. } | Scram::Final { .. } => Err(SignInFault::Unproved),
        }
    }

    /// RFC 5802 §3, with SHA-256.
    fn prove(&mut self, client_first: &str, server_first: &str) -> Result<String, SignInFault> {
        let mut nonce = None;
        let mut salt = None;
        let mut rounds = None;
        for attribute in server_first.split(',') {
            match attribute.split_once('=') {
                Some(("r", value)) if nonce.is_none() => nonce = Some(value),
                Some(("s", value)) if salt.is_none() => salt = STANDARD.decode(value).ok(),
                Some(("i", value)) if rounds.is_none() => rounds = value.parse::<u32>().ok(),
                // RFC 5802 §5.1: a mandatory extension that we do not know.
                Some(("m", _)) | None => return Err(SignInFault::Challenge),
                Some(_) => {}
            }
        }
        let (Some(nonce), Some(salt), Some(rounds)) = (nonce, salt, rounds) else {
            return Err(SignInFault::Challenge);
        };
        // RFC 5802 §5: the server's nonce begins with ours and is longer.
        if !nonce.starts_with(&self.sign_in.nonce) || nonce.len() == self.sign_in.nonce.len() {
            return Err(SignInFault::Challenge);
        }
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
            return Err(SignInFault::Rounds);
        }
        // Differs: RFC 4013 SASLprep is its NFKC step alone; passwords with control characters are nobody's.
        let password: String = self.sign_in.secret.reveal().nfkc().collect();
        let salted = salted(password.as_bytes(), &salt, rounds);
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{client_first},{server_first},{without_proof}");
        let client_key = keyed(&salted, b"Client Key");
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let mut proof = keyed(&stored_key, message.as_bytes());
        proof.iter_mut().zip(client_key).for_each(|(octet, key)| *octet ^= key);
        self.scram = Scram::Final {
            signature: keyed(&keyed(&salted, b"Server Key"), message.as_bytes()),
        };
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }
}

/// RFC 5802 §5.1: `=` and `,` in names.
fn escaped(user: &str) -> String {
    let user: String = user.nfkc().collect();
    user.replace('=', "=3D").replace(',', "=2C")
}

fn keyed(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// RFC 5802 §2.2, Hi(): the first block of PBKDF2.
fn salted(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let key = Hmac::<Sha256>::new_from_slice(password).expect("HMAC takes keys of any length");
    let mut mac = key.clone();
    mac.update(salt);
    mac.update(&1_u32.to_be_bytes());
    let mut last: [u8; 32] = mac.finalize().into_bytes().into();
    let mut all = last;
    for _ in 1..rounds {
        let mut mac = key.clone();
        mac.update(&last);
        last = mac.finalize().into_bytes().into();
        all.iter_mut().zip(last).for_each(|(octet, more)| *octet ^= more);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in(user: &str, secret: &str, nonce: &str) -> SignIn {
        SignIn {
            user: user.to_owned(),
            secret: Secret::new(secret),
            mechanisms: Mechanisms::default(),
            in_clear: false,
            nonce: nonce.to_owned(),
        }
    }

    /// The example of RFC 7677 §3.
    fn example() -> Exchange {
        let (exchange, command) = Exchange::begin(
            sign_in("user", "pencil", "rOprNGfwEbeRWgbNEkqO"),
            Mechanism::ScramSha256,
        );
        let first = STANDARD.encode("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(command, format!("AUTH SCRAM-SHA-256 {first}"));
        exchange
    }

    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn scram_as_in_the_rfc() {
        let mut exchange = example();
        let proof = exchange.answer(&STANDARD.encode(SERVER_FIRST)).expect("an answer");
        let proof = STANDARD.decode(proof).expect("base64");
        assert_eq!(
            String::from_utf8(proof).expect("text"),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(exchange.finish(), Err(SignInFault::Unproved), "235 too early");
        let last = STANDARD.encode("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(exchange.answer(&last), Ok(String::new()));
        assert_eq!(exchange.finish(), Ok(()));
    }

    #[test]
    fn a_false_server_is_found_out() {
        for (said, fault) in [
            ("r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", SignInFault::Challenge),
            (
                "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                SignInFault::Challenge,
            ),
            (
                "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
                SignInFault::Rounds,
            ),
            (
                "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
                SignInFault::Rounds,
            ),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096", SignInFault::Challenge),
            (
                "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                SignInFault::Challenge,
            ),
            ("", SignInFault::Challenge),
            ("e=unknown-user", SignInFault::Challenge),
        ] {
            assert_eq!(example().answer(&STANDARD.encode(said)), Err(fault), "{said}");
        }
        assert_eq!(example().answer("no base64!"), Err(SignInFault::Challenge));
        for last in ["v=AAAA", "v=", "e=other-error", "x"] {
            let mut exchange = example();
            exchange.answer(&STANDARD.encode(SERVER_FIRST)).expect("an answer");
            assert_eq!(
                exchange.answer(&STANDARD.encode(last)),
                Err(SignInFault::Unproved),
                "{last}"
            );
        }
    }

    #[test]
    fn the_simple_ones() {
        let (mut exchange, command) = Exchange::begin(sign_in("lena", "s3cret", ""), Mechanism::Plain);
        assert_eq!(command, format!("AUTH PLAIN {}", STANDARD.encode("\0lena\0s3cret")));
        assert_eq!(exchange.answer(""), Err(SignInFault::Challenge));
        let (mut exchange, command) = Exchange::begin(sign_in("lena", "s3cret", ""), Mechanism::Login);
        assert_eq!(command, "AUTH LOGIN");
        assert_eq!(exchange.answer("VXNlcm5hbWU6"), Ok(STANDARD.encode("lena")));
        assert_eq!(exchange.answer("UGFzc3dvcmQ6"), Ok(STANDARD.encode("s3cret")));
        assert_eq!(exchange.answer("eA=="), Err(SignInFault::Challenge));
        assert_eq!(exchange.finish(), Ok(()));
        // RFC 4954 §4: what is too long for a command waits for an empty challenge.
        let token = "t".repeat(600);
        let (mut exchange, command) = Exchange::begin(sign_in("lena", &token, ""), Mechanism::Xoauth2);
        assert_eq!(command, "AUTH XOAUTH2");
        let said = exchange.answer("").expect("the response");
        let said = STANDARD.decode(said).expect("base64");
        assert_eq!(said, format!("user=lena\x01auth=Bearer {token}\x01\x01").into_bytes());
        assert_eq!(exchange.answer("eyJzdGF0dXMiOiI0MDEifQ=="), Ok(String::new()));
        assert!(!format!("{exchange:?}").contains("ttt"));
    }
}
