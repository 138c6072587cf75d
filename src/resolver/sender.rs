//! Who the sender is, and what proves it (DESIGN §6, `exchange-semantics.md` §3.2).
//!
//! In: the reverse-path, the listener, the client's address, the trusted networks.
//! Out: a [`Sender`] with its standing. Never: a header field, a domain or loopback as proof.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::network::TrustedNetwork;
use crate::mail::ReversePath;
use crate::policy::Rules;

/// What the sender is taken for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "standing")]
pub enum Standing {
    /// A report or notice of our own: exempt from every rule but those about reports to groups.
    System,
    /// `<>`: a report of another system. Always passes to a single person.
    Null,
    /// Proven by a trusted network that may use this reverse-path domain.
    Internal {
        /// Name of the network in the settings.
        network: Arc<str>,
    },
    /// Not one of us.
    External,
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
            (ReversePath::Mailbox(_), Some(network)) => Self::Internal {
                network: network.into(),
            },
            (ReversePath::Mailbox(mailbox), None) if rules.accepted.kind_of(mailbox).is_some() => Self::Spoofed,
            (ReversePath::Mailbox(_), None) => Self::External,
        }
    }

    /// The name of what proved it, to be recorded with the message; [`Standing::recorded`] reads it.
    #[must_use]
    pub fn proof(&self) -> Option<&str> {
        match self {
            Self::Internal { network } => Some(network),
            Self::System | Self::Null | Self::External | Self::Spoofed => None,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("the system itself"),
            Self::Null => f.write_str("null reverse-path"),
            Self::Internal { network } => write!(f, "internal, proven by network {network}"),
            Self::External => f.write_str("external"),
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
    pub fn judged(reverse_path: &ReversePath, listener: &str, client: IpAddr, rules: &Rules) -> Self {
        Self {
            reverse_path: reverse_path.clone(),
            standing: standing(reverse_path, listener, client, rules),
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
            Standing::Null | Standing::External | Standing::Spoofed => false,
        }
    }

    /// A system message: exempt from recipient restrictions (recipient resolution).
    #[must_use]
    pub fn is_system(&self) -> bool {
        match self.standing {
            Standing::System | Standing::Null => true,
            Standing::Internal { .. } | Standing::External | Standing::Spoofed => false,
        }
    }
}

/// The trusted network a client is in, on this listener; the first in the order of the settings.
#[must_use]
pub fn trusted<'a>(listener: &str, client: IpAddr, rules: &'a Rules) -> Option<&'a TrustedNetwork> {
    rules.trusted.iter().find(|network| network.holds(listener, client))
}

fn standing(reverse_path: &ReversePath, listener: &str, client: IpAddr, rules: &Rules) -> Standing {
    let ReversePath::Mailbox(mailbox) = reverse_path else {
        return Standing::Null;
    };
    let domain = mailbox.domain_key();
    let proof = rules
        .trusted
        .iter()
        .find(|network| network.holds(listener, client) && network.domains.kind(&domain).is_some());
    match (proof, rules.accepted.kind(&domain)) {
        (Some(network), _) => Standing::Internal {
            network: network.name.clone(),
        },
        (None, Some(_)) => Standing::Spoofed,
        (None, None) => Standing::External,
    }
}

#[cfg(test)]
mod tests {
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
            network: network.into(),
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
            let sender = Sender::judged(&path, listener, client.parse().expect("valid"), &rules);
            assert_eq!(sender.standing, expected, "{from} {listener} {client}");
            let again = Standing::recorded(&path, sender.standing.proof(), &rules);
            assert_eq!(again, expected, "recorded {from}");
        }
        let null = Sender::judged(&ReversePath::Null, "relay", "127.0.0.1".parse().expect("valid"), &rules);
        assert_eq!(null.standing, Standing::Null);
    }
}
