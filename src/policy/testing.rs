//! Settings for tests.

use crate::mail::{Domain, Mailbox};
use crate::policy::Rules;
use crate::resolver::{AcceptedDomain, AcceptedDomains, DomainKind};

/// `contoso.example` is ours, `shared.example` is shared with another system; nobody is trusted; mail for
/// postmaster goes to Lena.
///
/// # Panics
/// Never: the addresses are valid.
#[must_use]
pub fn rules() -> Rules {
    let domain = |text: &str, kind| AcceptedDomain {
        domain: Domain::parse(text).expect("a domain"),
        kind,
        subdomains: false,
    };
    let accepted = AcceptedDomains::new([
        domain("contoso.example", DomainKind::Authoritative),
        domain("shared.example", DomainKind::InternalRelay),
    ]);
    Rules::new(accepted, Mailbox::parse("lena@contoso.example").expect("an address"))
}
