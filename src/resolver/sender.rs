//! Who the sender is, and what proves it (DESIGN §6, `exchange-semantics.md` §3.2).
//!
//! In: the reverse-path, the listener, the client's address, the trusted networks.
//! Out: a [`Sender`] with its standing. Never: a domain or loopback as proof, nor a header field by itself
//! ([`super::proof`] says what a message may add).

use std::fmt;

use super::login::Login;
use super::network::{Origin, TrustedNetwork};
use super::proof::Proof;
use crate::mail::ReversePath;
use crate::policy::Rules;

/// What the sender is taken for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// A report or notice of our own: exempt from every rule but those about reports to groups.
    System,
    /// `<>`: a report of another system. Always passes to a single person.
    Null,
    /// Proven to be one of us.
    Internal {
        /// By what.
        proof: Proof,
    },
    /// Not one of us.
    External,
    /// Might be proven one of us by a check that gave no answer for now: a refusal for want of proof is 4yz.
    Undecided,
    /// Claims an accepted domain without proof and settings say to treat it as external: it may be
    /// rejected as the object it claims to be, never accepted as it.
    Spoofed,
}

impl Standing {
    /// The standing of a message that was kept: the proof is as recorded at submission.
    #[must_use]
    pub fn recorded(reverse_path: &ReversePath, proof: Option<&str>, rules: &Rules) -> Self {
        match (reverse_path, proof) {
            (ReversePath::Null, _) => Self::Null,
            (ReversePath::Mailbox(_), Some(proof)) => Self::Internal {
                proof: Proof::recorded(proof),
            },
            (ReversePath::Mailbox(mailbox), None) if rules.accepted.owns(mailbox) => Self::Spoofed,
            (ReversePath::Mailbox(_), None) => Self::External,
        }
    }

    /// What proved it, to be recorded with the message; [`Standing::recorded`] reads it.
    #[must_use]
    pub fn proof(&self) -> Option<String> {
        match self {
            Self::Internal { proof } => Some(proof.to_string()),
            Self::System | Self::Null | Self::External | Self::Undecided | Self::Spoofed => None,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("the system itself"),
            Self::Null => f.write_str("null reverse-path"),
            Self::Internal { proof } => write!(f, "internal, proven by {proof}"),
            Self::External => f.write_str("external"),
            Self::Undecided => f.write_str("external, and what might prove it internal could not be checked"),
            Self::Spoofed => f.write_str("external, claiming an accepted domain without proof"),
        }
    }
}

/// Who sends, for policy: the reverse-path decides, header fields never widen it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// What he is taken for.
    pub standing: Standing,
}

impl Sender {
    /// Judges a connection and its reverse-path.
    #[must_use]
    pub fn judged(reverse_path: &ReversePath, origin: &Origin<'_>, rules: &Rules) -> Self {
        Self {
            reverse_path: reverse_path.clone(),
            standing: standing(reverse_path, origin, rules),
        }
    }

    /// An account with an address it may use.
    #[must_use]
    pub fn logged_in(reverse_path: &ReversePath, login: &Login) -> Self {
        let proof = Proof::Login(login.name.clone());
        Self {
            reverse_path: reverse_path.clone(),
            standing: Standing::Internal { proof },
        }
    }

    /// Ourselves: reports and notices.
    #[must_use]
    pub fn system() -> Self {
        Self {
            reverse_path: ReversePath::Null,
            standing: Standing::System,
        }
    }

    /// The sender of a message that was kept, with the proof recorded then.
    #[must_use]
    pub fn recorded(reverse_path: &ReversePath, proof: Option<&str>, rules: &Rules) -> Self {
        Self {
            reverse_path: reverse_path.clone(),
            standing: Standing::recorded(reverse_path, proof, rules),
        }
    }

    /// Proven to be one of us.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        match self.standing {
            Standing::System | Standing::Internal { .. } => true,
            Standing::Null | Standing::External | Standing::Undecided | Standing::Spoofed => false,
        }
    }

    /// A system message: exempt from recipient restrictions (recipient resolution).
    #[must_use]
    pub fn is_system(&self) -> bool {
        match self.standing {
            Standing::System | Standing::Null => true,
            Standing::Internal { .. } | Standing::External | Standing::Undecided | Standing::Spoofed => false,
        }
    }
}

/// The network of ours that a client is in, on this listener; the first in the order of the settings. What many
/// customers share is not ours.
#[must_use]
pub fn trusted<'a>(origin: &Origin<'_>, rules: &'a Rules) -> Option<&'a TrustedNetwork> {
    let mut networks = rules.trusted.iter();
    networks.find(|network| network.tenancy.is_none() && network.holds(origin))
}

fn standing(reverse_path: &ReversePath, origin: &Origin<'_>, rules: &Rules) -> Standing {
    let ReversePath::Mailbox(mailbox) = reverse_path else {
        return Standing::Null;
    };
    let domain = mailbox.domain_key();
    let proof = rules
        .trusted
        .iter()
        .find(|network| network.tenancy.is_none() && network.holds(origin) && network.domains.kind(&domain).is_some());
    match (proof, rules.accepted.is_ours(&domain)) {
        (Some(network), _) => Standing::Internal {
            proof: match network.certificate(origin) {
                Some(certificate) => Proof::Certificate {
                    network: network.name.clone(),
                    certificate,
                },
                None => Proof::Network(network.name.clone()),
            },
        },
        (None, true) => Standing::Spoofed,
        (None, false) => Standing::External,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mail::{Domain, Mailbox};
    use crate::policy::testing::rules;
    use crate::resolver::{AcceptedDomain, AcceptedDomains, DomainKind};

    fn network(name: &str, nets: &[&str], listeners: &[&str], domains: &[&str]) -> TrustedNetwork {
        TrustedNetwork {
            name: name.into(),
            networks: nets.iter().map(|net| net.parse().expect("a test range")).collect(),
            listeners: listeners.iter().map(|name| Arc::from(*name)).collect(),
            domains: AcceptedDomains::new(domains.iter().map(|domain| AcceptedDomain {
                domain: Domain::parse(domain).expect("a test domain"),
                kind: DomainKind::Authoritative,
                subdomains: false,
            })),
            certificates: Vec::new(),
            tenancy: None,
        }
    }

    #[test]
    fn only_a_network_proves_and_only_for_its_domains_and_listeners() {
        let mut rules = rules();
        rules.trusted = vec![
            network("branch", &["192.0.2.0/24"], &[], &["contoso.example"]),
            network(
                "loopback",
                &["127.0.0.0/8"],
                &["relay"],
                &["contoso.example", "fabrikam.example"],
            ),
        ];
        let internal = |network: &str| Standing::Internal {
            proof: Proof::Network(network.into()),
        };
        for (from, listener, client, expected) in [
            ("lena@contoso.example", "inbound", "192.0.2.5", internal("branch")),
            ("LENA@CONTOSO.EXAMPLE", "inbound", "192.0.2.5", internal("branch")),
            ("lena@contoso.example", "inbound", "198.51.100.5", Standing::Spoofed),
            ("lena@contoso.example", "relay", "127.0.0.1", internal("loopback")),
            // Loopback is not trusted by itself.
            ("lena@contoso.example", "inbound", "127.0.0.1", Standing::Spoofed),
            // The network does not prove this domain.
            ("x@fabrikam.example", "inbound", "192.0.2.5", Standing::External),
            ("x@fabrikam.example", "relay", "127.0.0.1", internal("loopback")),
            ("x@other.example", "relay", "127.0.0.1", Standing::External),
        ] {
            let path = ReversePath::Mailbox(Mailbox::parse(from).expect("valid"));
            let sender = Sender::judged(&path, &Origin::plain(listener, client.parse().expect("valid")), &rules);
            assert_eq!(sender.standing, expected, "{from} {listener} {client}");
            let again = Standing::recorded(&path, sender.standing.proof().as_deref(), &rules);
            assert_eq!(again, expected, "recorded {from}");
        }
        let null = Sender::judged(
            &ReversePath::Null,
            &Origin::plain("relay", "127.0.0.1".parse().expect("valid")),
            &rules,
        );
        assert_eq!(null.standing, Standing::Null);
    }
}
