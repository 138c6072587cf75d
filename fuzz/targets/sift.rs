//! What the header sieve is asked: any octets, in any pieces, by a stranger, at a shared network and by one of us.

use muster::limits::HEADER_SECTION_OCTETS_MAX;
use muster::mail::header::HeaderSection;
use muster::mail::header::sieve::{OrganisationFields, Sieve, Stamp, Unwelcome};

/// The first octet says how large pieces are; the rest is a message.
pub fn sift(octets: &[u8]) {
    let Some((size, message)) = octets.split_first() else {
        return;
    };
    let size = usize::from(*size).max(1);
    let stamp = Stamp {
        field: "X-MS-Exchange-CrossTenant-Id".into(),
        tenant: "ours".into(),
    };
    for organisation in [
        OrganisationFields::Removed,
        OrganisationFields::KeptIf(stamp),
        OrganisationFields::Kept,
    ] {
        let unwelcome = Unwelcome {
            authserv_id: Some("mx.contoso.example".into()),
            organisation: organisation.clone(),
        };
        let (whole, original) = through(&unwelcome, message, message.len().max(1));
        assert_eq!(through(&unwelcome, message, size).0, whole, "pieces make no difference");
        // Octets are taken out and never changed or added.
        assert!(whole.len() <= message.len() && original.is_some() == (whole != message));
        if message.len() < HEADER_SECTION_OCTETS_MAX {
            assert_eq!(through(&unwelcome, &whole, size).0, whole, "once is enough");
            let section = HeaderSection::parse(&whole).unwrap_or_default();
            let marked = |name: &str| {
                let name = name.to_ascii_lowercase();
                name.starts_with("x-ms-exchange-organization-") || name.starts_with("x-ms-exchange-crosstenant-")
            };
            let left = section.fields().iter().any(|field| marked(field.name));
            assert!(organisation != OrganisationFields::Removed || !left, "a mark is left");
        }
    }
    assert_eq!(through(&Unwelcome::nothing(), message, size), (message.to_vec(), None));
}

/// What goes on, and the header section as it came if something was taken out.
fn through(unwelcome: &Unwelcome, message: &[u8], size: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut sieve = Sieve::new(unwelcome.clone());
    let mut out = Vec::new();
    for piece in message.chunks(size) {
        out.extend_from_slice(&sieve.push(piece));
    }
    out.extend(sieve.finish());
    (out, sieve.original().map(|head| head.to_vec()))
}
