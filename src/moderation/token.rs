//! Tokens that carry a moderator's authority, and the addresses and links they stand in.
//!
//! In: 16 random octets. Out: an address or link for the mail to the moderator, and a hash for the store.
//! Never: a token in the store or in a log.

use sha2::{Digest as _, Sha256};

use crate::env::Chance;
use crate::mail::{HoldId, Mailbox};
use crate::spool::approval::{ApprovalRequest, TokenHash};
use crate::spool::message::Hold;

/// Octets of chance in a token: 128 bits are not guessed.
const TOKEN_OCTETS: usize = 16;

/// Most digits of a hold's number in an address, so that the local-part stays within 64 octets.
const HOLD_DIGITS_MAX: usize = 12;

/// Longest local-part of the base address (RFC 5321 §4.5.3.1.1 allows 64 octets in all).
pub const BASE_LOCAL_PART_OCTETS_MAX: usize = 64 - "+m".len() - HOLD_DIGITS_MAX - ".".len() - 2 * TOKEN_OCTETS;

/// What the bearer of a link or address knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token that nobody has.
    #[must_use]
    pub fn new(chance: &dyn Chance) -> Self {
        let mut octets = [0; TOKEN_OCTETS];
        chance.fill(&mut octets);
        Self(hexadecimal(&octets))
    }

    /// Reads a token; in any case, because mail systems may change the case of a local-part.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let well_formed = text.len() == 2 * TOKEN_OCTETS && text.bytes().all(|octet| octet.is_ascii_hexdigit());
        well_formed.then(|| Self(text.to_ascii_lowercase()))
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(hexadecimal(&Sha256::digest(self.0.as_bytes())))
    }
}

/// Shown nowhere.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a token was made for: a link decides on a page, a reply address takes mail. One does not do for the
/// other: addresses are seen by every mail system on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// In a link.
    Link,
    /// In a reply address.
    Reply,
}

/// The request that a token belongs to.
#[must_use]
pub fn request<'a>(hold: &'a Hold, token: &Token, purpose: Purpose) -> Option<&'a ApprovalRequest> {
    let hash = token.hash();
    hold.approval.requests.iter().find(|request| match purpose {
        Purpose::Link => request.link == hash,
        Purpose::Reply => request.reply == hash,
    })
}

/// Addresses that answers are sent to: `moderation+m12.TOKEN@contoso.example`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnswerAddresses {
    base: Mailbox,
}

impl AnswerAddresses {
    /// Addresses below a base; none if its local-part is longer than [`BASE_LOCAL_PART_OCTETS_MAX`].
    #[must_use]
    pub fn below(base: Mailbox) -> Option<Self> {
        (base.local_part().len() <= BASE_LOCAL_PART_OCTETS_MAX && !base.local_part().starts_with('"'))
            .then_some(Self { base })
    }

    /// The address of one request.
    #[must_use]
    pub fn address(&self, hold: HoldId, token: &Token) -> Option<Mailbox> {
        let (local, domain) = (self.base.local_part(), self.base.domain());
        Mailbox::parse(&format!("{local}+m{}.{}@{domain}", hold.0, token.0)).ok()
    }

    /// Hold and token of such an address.
    #[must_use]
    pub fn read(&self, mailbox: &Mailbox) -> Option<(HoldId, Token)> {
        if mailbox.domain_key() != self.base.domain_key() {
            return None;
        }
        let (local, detail) = mailbox.local_part().split_once('+')?;
        let (number, token) = detail.strip_prefix(['m', 'M'])?.split_once('.')?;
        let numeric =
            !number.is_empty() && number.len() <= HOLD_DIGITS_MAX && number.bytes().all(|b| b.is_ascii_digit());
        if !numeric || !local.eq_ignore_ascii_case(self.base.local_part()) {
            return None;
        }
        Some((HoldId(number.parse().ok()?), Token::read(token)?))
    }
}

/// The path of a moderator's page: `/m/12/TOKEN`.
#[must_use]
pub fn page_path(hold: HoldId, token: &Token) -> String {
    format!("/m/{}/{}", hold.0, token.0)
}

fn hexadecimal(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * octets.len());
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemChance;

    fn mailbox(text: &str) -> Mailbox {
        Mailbox::parse(text).expect("a test address")
    }

    #[test]
    fn addresses_read_back_in_any_case_and_fit_a_local_part() {
        let base = "b".repeat(BASE_LOCAL_PART_OCTETS_MAX);
        for base in ["moderation", base.as_str()] {
            let answers = AnswerAddresses::below(mailbox(&format!("{base}@contoso.example"))).expect("short");
            let token = Token::new(&SystemChance);
            let address = answers.address(HoldId(999_999_999_999), &token).expect("an address");
            for text in [address.to_string(), address.to_string().to_uppercase()] {
                assert_eq!(
                    answers.read(&mailbox(&text)),
                    Some((HoldId(999_999_999_999), token.clone())),
                    "{text}"
                );
            }
        }
        assert!(AnswerAddresses::below(mailbox(&format!("{base}b@contoso.example"))).is_none());
    }

    #[test]
    fn what_is_no_answer_address_is_ordinary_mail() {
        let answers = AnswerAddresses::below(mailbox("moderation@contoso.example")).expect("short");
        let token = "00112233445566778899aabbccddeeff";
        for text in [
            "moderation@contoso.example",
            "moderation+m1@contoso.example",
            &format!("moderation+1.{token}@contoso.example"),
            &format!("moderation+m.{token}@contoso.example"),
            &format!("moderation+m+1.{token}@contoso.example"),
            &format!("moderation+m1.{token}0@contoso.example"),
            &format!("moderation+m1.{token}@fabrikam.example"),
            &format!("moderators+m1.{token}@contoso.example"),
            &format!("moderation+m1.{}@contoso.example", token.replace('0', "g")),
            &format!("moderation+m1234567890123.{token}@contoso.example"),
        ] {
            assert_eq!(answers.read(&mailbox(text)), None, "{text}");
        }
    }

    #[test]
    fn a_token_is_not_its_hash_and_is_not_shown() {
        let token = Token::new(&SystemChance);
        assert_ne!(token.hash().0, token.0);
        assert_ne!(token, Token::new(&SystemChance));
        assert!(!format!("{token:?}").contains(&token.0));
    }
}
