//! From a forward-path to the recipient object, or to an outside address to relay to.
//!
//! In: an address, a generation, the accepted domains, whether the client may relay.
//! Out: an object, an outside address, or a refusal. Never: relays for a client that may not; takes a
//! local-part that would route again; says "unknown" while the directory cannot know.

use serde::{Deserialize, Serialize};

use super::accepted::DomainKind;
use crate::directory::{Directory, Lookup, Ordinal};
use crate::mail::{Mailbox, Reply};
use crate::policy::rules::{PlusAddressing, Rules};
use crate::policy::{Refusal, replies};
use crate::track::Reason;

/// Whether the client may send to domains that are not ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relaying {
    /// A client of a trusted network at a relay listener, or ourselves.
    Allowed,
    /// Everybody else.
    Denied,
}

/// Whether the sources of the directory are recent enough to say that an address does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sources {
    /// They are.
    Current,
    /// One is over its `max_age`: an unknown recipient may be a new one.
    Overdue,
}

/// How an address led to an object, for `explain`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The primary or another proxy address.
    Address,
    /// `IMCEAEX-…`: a legacyExchangeDN or X500 address.
    LegacyDn,
    /// The address without `+detail`.
    PlusAddress,
    /// `postmaster` has no object of its own: the configured target.
    Postmaster,
}

/// What an address stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resolved {
    /// A recipient object.
    Object {
        /// Which.
        ordinal: Ordinal,
        /// How it was found.
        how: How,
    },
    /// No object: relayed as it is.
    Outside {
        /// The address.
        mailbox: Mailbox,
        /// How it was found.
        how: How,
    },
}

impl Resolved {
    /// How it was found.
    #[must_use]
    pub fn how(&self) -> How {
        match self {
            Self::Object { how, .. } | Self::Outside { how, .. } => *how,
        }
    }
}

/// Resolves an addressed forward-path.
pub fn resolve(
    mailbox: &Mailbox,
    directory: &Directory,
    rules: &Rules,
    relaying: Relaying,
    sources: Sources,
) -> Result<Resolved, Refusal> {
    let Some(kind) = rules.accepted.kind_of(mailbox) else {
        return foreign(mailbox, directory, relaying);
    };
    if mailbox.routes_again() {
        return Err(refusal(Reason::RoutesAgain));
    }
    if directory.number() == 0 {
        return Err(refusal(Reason::DirectoryNotReady));
    }
    if let Some(resolved) = known(mailbox, directory, rules)? {
        return Ok(resolved);
    }
    match (kind, sources) {
        (DomainKind::InternalRelay | DomainKind::ExternalRelay, _) => Ok(outside(mailbox)),
        (DomainKind::Authoritative, Sources::Overdue) => Err(refusal(Reason::DirectoryNotReady)),
        (DomainKind::Authoritative, Sources::Current) if is_encapsulated(mailbox) => Err(Refusal {
            reply: replies::unknown_ex_address(),
            reason: Reason::RecipientUnknown,
        }),
        (DomainKind::Authoritative, Sources::Current) => Err(refusal(Reason::RecipientUnknown)),
    }
}

/// Resolves an address that the directory itself gave (a target, a forward, an owner): relaying is allowed,
/// and an address of an authoritative domain that nobody has is unknown here as well.
pub fn resolve_given(
    mailbox: &Mailbox,
    directory: &Directory,
    rules: &Rules,
    sources: Sources,
) -> Result<Resolved, Refusal> {
    resolve(mailbox, directory, rules, Relaying::Allowed, sources)
}

/// Outside the accepted domains. A contact may carry the address; whether the client may send there is
/// decided first, or contacts would make us an open relay for their addresses.
fn foreign(mailbox: &Mailbox, directory: &Directory, relaying: Relaying) -> Result<Resolved, Refusal> {
    match relaying {
        Relaying::Denied => Err(refusal(Reason::RelayDenied)),
        Relaying::Allowed => {
            Ok(object(directory.lookup(&mailbox.key()), How::Address)?.unwrap_or_else(|| outside(mailbox)))
        }
    }
}

fn known(mailbox: &Mailbox, directory: &Directory, rules: &Rules) -> Result<Option<Resolved>, Refusal> {
    if let Some(found) = object(directory.lookup(&mailbox.key()), How::Address)? {
        return Ok(Some(found));
    }
    // RFC 5321 §4.5.1: postmaster is always there.
    if is_postmaster(mailbox) {
        let target = &rules.postmaster;
        let found = object(directory.lookup(&target.key()), How::Postmaster)?;
        return Ok(Some(found.unwrap_or_else(|| Resolved::Outside {
            mailbox: target.clone(),
            how: How::Postmaster,
        })));
    }
    if let Some(legacy_dn) = legacy_dn(mailbox.local_part()) {
        return object(directory.lookup_legacy(&legacy_dn), How::LegacyDn);
    }
    match rules.plus_addressing {
        PlusAddressing::Off => Ok(None),
        PlusAddressing::On => match without_detail(mailbox) {
            Some(plain) => object(directory.lookup(&plain.key()), How::PlusAddress),
            None => Ok(None),
        },
    }
}

fn object(found: Lookup, how: How) -> Result<Option<Resolved>, Refusal> {
    match found {
        Lookup::None => Ok(None),
        Lookup::One(ordinal) => Ok(Some(Resolved::Object { ordinal, how })),
        Lookup::Ambiguous(_) => Err(refusal(Reason::RecipientAmbiguous)),
    }
}

fn outside(mailbox: &Mailbox) -> Resolved {
    Resolved::Outside {
        mailbox: mailbox.clone(),
        how: How::Address,
    }
}

fn refusal(reason: Reason) -> Refusal {
    let reply: Reply = replies::of(reason, None);
    Refusal { reply, reason }
}

/// True for `postmaster@…`, in any case (RFC 5321 §4.5.1).
#[must_use]
pub fn is_postmaster(mailbox: &Mailbox) -> bool {
    mailbox.local_part().eq_ignore_ascii_case("postmaster")
}

/// `lena+news@…` → `lena@…`. A detail may hold further plus signs.
fn without_detail(mailbox: &Mailbox) -> Option<Mailbox> {
    let (user, _) = mailbox.local_part().split_once('+')?;
    if user.starts_with('"') {
        return None;
    }
    Mailbox::parse(&format!("{user}@{}", mailbox.domain())).ok()
}

fn is_encapsulated(mailbox: &Mailbox) -> bool {
    encapsulated(mailbox.local_part()).is_some()
}

/// What stands after `IMCEAEX-`.
fn encapsulated(local_part: &str) -> Option<&str> {
    let (tag, encoded) = local_part.split_at_checked("IMCEAEX-".len())?;
    tag.eq_ignore_ascii_case("IMCEAEX-").then_some(encoded)
}

/// Decodes `IMCEAEX-_o=Contoso_ou=x` (recipient resolution: encapsulated addresses): `_` is `/`, `+XX` an
/// octet in hexadecimal. Other encapsulated types name no object of a directory and are not decoded.
fn legacy_dn(local_part: &str) -> Option<String> {
    let encoded = encapsulated(local_part)?;
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'_' => b'/',
            b'+' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::testing::{contact, directory, person};
    use crate::policy::testing::rules;

    const LENA: u32 = 0;
    const CONTACT: u32 = 2;

    fn sample() -> Directory {
        directory([
            person("lena@contoso.example")
                .proxy("smtp:l.berg@contoso.example")
                .proxy("X500:/o=Old/ou=First/cn=Recipients/cn=lena (1)")
                .legacy_dn("/o=Contoso/cn=Recipients/cn=lena_b"),
            person("one@contoso.example").proxy("smtp:both@contoso.example"),
            contact("partner@fabrikam.example", "partner@fabrikam.example"),
            person("two@contoso.example").proxy("smtp:both@contoso.example"),
        ])
    }

    fn ask(address: &str, relaying: Relaying, sources: Sources, rules: &Rules) -> Result<Resolved, Reason> {
        let mailbox = Mailbox::parse(address).expect("a test address");
        resolve(&mailbox, &sample(), rules, relaying, sources).map_err(|refusal| refusal.reason)
    }

    fn found(number: u32, how: How) -> Result<Resolved, Reason> {
        Ok(Resolved::Object {
            ordinal: Ordinal(number),
            how,
        })
    }

    #[test]
    fn every_form_of_address_leads_to_its_object() {
        for (address, expected) in [
            ("lena@contoso.example", found(LENA, How::Address)),
            ("L.Berg@CONTOSO.example", found(LENA, How::Address)),
            ("lena+news+x@contoso.example", found(LENA, How::PlusAddress)),
            (
                "IMCEAEX-_o=Old_ou=First_cn=Recipients_cn=lena+20+281+29@contoso.example",
                found(LENA, How::LegacyDn),
            ),
            (
                "imceaex-_o=contoso_cn=Recipients_cn=lena+5Fb@contoso.example",
                found(LENA, How::LegacyDn),
            ),
            ("IMCEAEX-_o=Nobody@contoso.example", Err(Reason::RecipientUnknown)),
            ("IMCEAEX-_o=x+ZZ@contoso.example", Err(Reason::RecipientUnknown)),
            ("IMCEAX500-_o=Old@contoso.example", Err(Reason::RecipientUnknown)),
            ("both@contoso.example", Err(Reason::RecipientAmbiguous)),
            ("nobody@contoso.example", Err(Reason::RecipientUnknown)),
            ("a%b@contoso.example", Err(Reason::RoutesAgain)),
            ("b!a@contoso.example", Err(Reason::RoutesAgain)),
            ("\"a@b\"@contoso.example", Err(Reason::RoutesAgain)),
            ("PostMaster@contoso.example", found(LENA, How::Postmaster)),
            ("partner@fabrikam.example", Err(Reason::RelayDenied)),
            ("x@other.example", Err(Reason::RelayDenied)),
        ] {
            let answer = ask(address, Relaying::Denied, Sources::Current, &rules());
            assert_eq!(answer, expected, "{address}");
        }
    }

    #[test]
    fn relaying_and_shared_domains() {
        let outside = |address: &str| {
            Ok(Resolved::Outside {
                mailbox: Mailbox::parse(address).expect("valid"),
                how: How::Address,
            })
        };
        for (address, expected) in [
            ("partner@fabrikam.example", found(CONTACT, How::Address)),
            ("x@other.example", outside("x@other.example")),
            ("a%b@other.example", outside("a%b@other.example")),
            ("x@shared.example", outside("x@shared.example")),
        ] {
            assert_eq!(
                ask(address, Relaying::Allowed, Sources::Current, &rules()),
                expected,
                "{address}"
            );
        }
        let shared = ask("x@shared.example", Relaying::Denied, Sources::Overdue, &rules());
        assert_eq!(shared, outside("x@shared.example"));
    }

    #[test]
    fn nothing_is_unknown_before_the_directory_can_know() {
        let lena = Mailbox::parse("lena@contoso.example").expect("valid");
        let before = resolve(&lena, &Directory::empty(), &rules(), Relaying::Denied, Sources::Current);
        assert_eq!(before.map_err(|refusal| refusal.reason), Err(Reason::DirectoryNotReady));
        let overdue = ask("new@contoso.example", Relaying::Denied, Sources::Overdue, &rules());
        assert_eq!(overdue, Err(Reason::DirectoryNotReady));
        let known = ask("lena@contoso.example", Relaying::Denied, Sources::Overdue, &rules());
        assert_eq!(known, found(LENA, How::Address));
    }

    #[test]
    fn plus_addressing_is_a_setting() {
        let mut rules = rules();
        rules.plus_addressing = PlusAddressing::Off;
        let answer = ask("lena+news@contoso.example", Relaying::Denied, Sources::Current, &rules);
        assert_eq!(answer, Err(Reason::RecipientUnknown));
    }
}
