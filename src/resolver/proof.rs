//! What proves a sender to be one of us, and what may still do so once the message has come.
//!
//! In: where the client connects from, the reverse-path, then the header section and what checks found.
//! Out: a [`Proof`] that is recorded with the message, or a [`Standing`] without one.
//! Never: a header field as proof by itself. A stamp counts only from the network of the provider that writes it, a
//! signature only for the reverse-path it covers.

use std::fmt;
use std::sync::Arc;

use super::network::{Origin, TrustedNetwork};
use super::sender::{Sender, Standing};
use crate::mail::authentication::{Checks, Findings, Verdict};
use crate::mail::header::Authors;
use crate::mail::{Domain, Mailbox, ReversePath};
use crate::policy::Rules;

/// What proved a sender internal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Proof {
    /// A trusted network, by its name in the settings.
    Network(Arc<str>),
    /// A trusted network that is known by its certificate.
    Certificate {
        /// Name in the settings.
        network: Arc<str>,
        /// Name of the certificate.
        certificate: Arc<str>,
    },
    /// An account (SASL AUTH), for an address it may use.
    Login(Arc<str>),
    /// A network that many customers share, and the tenant that its provider stamped.
    Tenant {
        /// Name in the settings.
        network: Arc<str>,
        /// The tenant.
        tenant: Arc<str>,
    },
    /// A network that many customers share, and a signature of the reverse-path's domain.
    Signature {
        /// Name in the settings.
        network: Arc<str>,
        /// `d=` of the signature.
        domain: Domain,
    },
    /// DMARC passed and the author is of this accepted domain.
    Dmarc(Domain),
}

impl Proof {
    /// Reads what [`Proof`] was written as. Anything else is the name of a network: earlier releases kept only that.
    #[must_use]
    pub fn recorded(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        let domain = |text: &str| Domain::parse(text).ok();
        match words.as_slice() {
            ["network", name] => Some(Self::Network((*name).into())),
            ["network", name, "certificate", certificate] => Some(Self::Certificate {
                network: (*name).into(),
                certificate: (*certificate).into(),
            }),
            ["login", name] => Some(Self::Login((*name).into())),
            ["network", name, "tenant", tenant] => Some(Self::Tenant {
                network: (*name).into(),
                tenant: (*tenant).into(),
            }),
            ["network", name, "signature", text] => domain(text).map(|domain| Self::Signature {
                network: (*name).into(),
                domain,
            }),
            ["dmarc", text] => domain(text).map(Self::Dmarc),
            _ => None,
        }
        .unwrap_or_else(|| Self::Network(text.into()))
    }
}

/// As it is recorded: words without blanks of their own.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(name) => write!(f, "network {name}"),
            Self::Certificate { network, certificate } => write!(f, "network {network} certificate {certificate}"),
            Self::Login(name) => write!(f, "login {name}"),
            Self::Tenant { network, tenant } => write!(f, "network {network} tenant {tenant}"),
            Self::Signature { network, domain } => write!(f, "network {network} signature {domain}"),
            Self::Dmarc(domain) => write!(f, "dmarc {domain}"),
        }
    }
}

/// The message itself, as far as it can prove anything.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Its header section.
    pub head: &'a [u8],
    /// Who says to have written it.
    pub authors: &'a Authors,
    /// What checks found, if any were made.
    pub findings: Option<&'a Findings>,
}

/// What may prove a sender whom the connection does not prove.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Prospect<'a> {
    reverse_path: &'a ReversePath,
    /// The shared network he is in.
    network: Option<&'a TrustedNetwork>,
    rules: &'a Rules,
}

impl<'a> Prospect<'a> {
    /// None if nothing in the message can prove him.
    #[must_use]
    pub fn of(reverse_path: &'a ReversePath, origin: &Origin<'_>, rules: &'a Rules) -> Option<Self> {
        let network = shared(origin, rules);
        let speaks = |network: &TrustedNetwork| match reverse_path {
            ReversePath::Null => true,
            ReversePath::Mailbox(mailbox) => network.domains.kind(&mailbox.domain_key()).is_some(),
        };
        let dmarc = rules.authenticity.dmarc_proves && !reverse_path.is_null();
        let prospect = Self {
            reverse_path,
            network: network.filter(|network| speaks(network)),
            rules,
        };
        (prospect.network.is_some() || dmarc).then_some(prospect)
    }

    /// The sender as if all that may prove him did: for what must be answered before the message is there.
    #[must_use]
    pub fn at_best(&self, sender: &Sender) -> Sender {
        let ReversePath::Mailbox(mailbox) = self.reverse_path else {
            return sender.clone();
        };
        let proof = match self.network {
            Some(network) => Proof::Network(network.name.clone()),
            None => Proof::Dmarc(mailbox.domain_key()),
        };
        proven(sender.clone(), proof)
    }

    /// True if a shared network is what may prove him: its provider's other customers come from there as well.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.network.is_some()
    }

    /// Which checks could prove him, given the header section: none if its stamp already does.
    #[must_use]
    pub fn checks(&self, head: &[u8], authors: &Authors) -> Checks {
        if self.stamped(head) {
            return Checks::default();
        }
        let signed = self.network.and_then(|network| network.tenancy.as_ref());
        let by_signature =
            signed.is_some_and(|tenancy| tenancy.signature) && self.sole_author(authors).is_some_and(|a| self.wrote(a));
        let dmarc = self.rules.authenticity.dmarc_proves
            && !self.reverse_path.is_null()
            && self
                .sole_author(authors)
                .is_some_and(|author| self.rules.accepted.owns(author));
        Checks {
            spf: dmarc,
            dkim: by_signature || dmarc,
            dmarc,
            arc: false,
        }
    }

    /// True if the provider of the shared network stamped our tenant.
    #[must_use]
    pub fn stamped(&self, head: &[u8]) -> bool {
        let tenancy = self.network.and_then(|network| network.tenancy.as_ref());
        let stamp = tenancy.and_then(|tenancy| tenancy.stamp.as_ref());
        stamp.is_some_and(|stamp| stamp.is_on(head))
    }

    /// Who the sender is, now that the message is there; `sender` is what the connection made him.
    #[must_use]
    pub fn weigh(&self, sender: Sender, evidence: &Evidence<'_>) -> Sender {
        let ReversePath::Mailbox(mailbox) = self.reverse_path else {
            return sender;
        };
        if let Some(network) = self.network
            && let Some(stamp) = network.tenancy.as_ref().and_then(|tenancy| tenancy.stamp.as_ref())
            && stamp.is_on(evidence.head)
        {
            return proven(
                sender,
                Proof::Tenant {
                    network: network.name.clone(),
                    tenant: stamp.tenant.clone(),
                },
            );
        }
        let (Some(findings), Some(author)) = (evidence.findings, self.sole_author(evidence.authors)) else {
            return sender;
        };
        let signature = self.by_signature(mailbox, author, findings);
        let dmarc = self.by_dmarc(mailbox, author, findings);
        match (signature, dmarc) {
            (Weight::Proves(proof), _) | (_, Weight::Proves(proof)) => proven(sender, proof),
            (Weight::Undecided, _) | (_, Weight::Undecided) => Sender {
                standing: Standing::Undecided,
                ..sender
            },
            (Weight::Nothing, Weight::Nothing) => sender,
        }
    }

    /// A signature that covers the reverse-path: its domain, or one above it that the network may speak for. The
    /// author must be the reverse-path, or a message that a colleague once signed would do for anybody's name.
    fn by_signature(&self, mailbox: &Mailbox, author: &Mailbox, findings: &Findings) -> Weight {
        let Some(network) = self
            .network
            .filter(|network| network.tenancy.as_ref().is_some_and(|tenancy| tenancy.signature))
        else {
            return Weight::Nothing;
        };
        if !self.wrote(author) {
            return Weight::Nothing;
        }
        let domain = mailbox.domain_key();
        let mut undecided = false;
        for signature in findings.dkim.iter().flatten() {
            let Ok(signer) = Domain::parse(&signature.domain) else {
                // Out of time: nobody knows whose signature it would have been.
                undecided |= signature.verdict == Verdict::TempError;
                continue;
            };
            let covers = signer == domain || (is_below(&domain, &signer) && network.domains.kind(&signer).is_some());
            match signature.verdict {
                Verdict::Pass if covers => {
                    return Weight::Proves(Proof::Signature {
                        network: network.name.clone(),
                        domain: signer,
                    });
                }
                Verdict::TempError => undecided |= covers,
                _ => {}
            }
        }
        Weight::undecided_if(undecided)
    }

    /// DMARC speaks for the author. The reverse-path decides who the sender is, so if it is one of ours as well it
    /// must be proven with it: by SPF, or by being the author.
    fn by_dmarc(&self, mailbox: &Mailbox, author: &Mailbox, findings: &Findings) -> Weight {
        let Some(dmarc) = findings.dmarc.as_ref().filter(|_| self.rules.authenticity.dmarc_proves) else {
            return Weight::Nothing;
        };
        let domain = author.domain_key();
        if !self.rules.accepted.is_ours(&domain) {
            return Weight::Nothing;
        }
        match dmarc.verdict {
            Verdict::Pass if Domain::parse(&dmarc.domain).as_ref() == Ok(&domain) => {
                let claims_us = self.rules.accepted.owns(mailbox);
                if !claims_us || dmarc.by_spf || self.wrote(author) {
                    Weight::Proves(Proof::Dmarc(domain))
                } else {
                    Weight::Nothing
                }
            }
            Verdict::TempError => Weight::Undecided,
            _ => Weight::Nothing,
        }
    }

    fn wrote(&self, author: &Mailbox) -> bool {
        let same = |mailbox: &Mailbox| mailbox.key() == author.key();
        self.reverse_path.mailbox().is_some_and(same)
    }

    fn sole_author<'b>(&self, authors: &'b Authors) -> Option<&'b Mailbox> {
        match authors {
            Authors::Named(list) => match list.as_slice() {
                [only] => Some(only),
                _ => None,
            },
            Authors::Missing | Authors::Unclear(_) => None,
        }
    }
}

/// What one kind of evidence weighs.
enum Weight {
    Proves(Proof),
    /// It might, if it could be checked.
    Undecided,
    Nothing,
}

impl Weight {
    fn undecided_if(undecided: bool) -> Self {
        if undecided { Self::Undecided } else { Self::Nothing }
    }
}

fn proven(sender: Sender, proof: Proof) -> Sender {
    Sender {
        standing: Standing::Internal { proof },
        ..sender
    }
}

/// The shared network a client is in, on this listener; the first in the order of the settings.
#[must_use]
pub fn shared<'a>(origin: &Origin<'_>, rules: &'a Rules) -> Option<&'a TrustedNetwork> {
    let mut networks = rules.trusted.iter();
    networks.find(|network| network.tenancy.is_some() && network.holds(origin))
}

fn is_below(domain: &Domain, above: &Domain) -> bool {
    domain
        .as_str()
        .strip_suffix(above.as_str())
        .is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
