//! LDAP filters (RFC 4515), as Active Directory evaluates them and Exchange stores them
//! (`msExchDynamicDLFilter`).
//!
//! In: the text. Out: a [`Predicate`](super::Predicate) and warnings, or one error with its place; and back from a predicate to
//! text. Never: an attribute we do not know read as missing.

mod computed;
mod meaning;
mod names;
mod octets;
mod print;
mod syntax;

pub use print::print;

use super::LENGTH_OCTETS_MAX;
use super::error::{FilterError, FilterFault};
use super::opath::Parsed;

/// 1.2.840.113556.1.4.803: all bits set.
const RULE_BIT_AND: &str = "1.2.840.113556.1.4.803";
/// 1.2.840.113556.1.4.804: any bit set.
const RULE_BIT_OR: &str = "1.2.840.113556.1.4.804";
/// 1.2.840.113556.1.4.1941: over any number of steps.
const RULE_IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// Parses a filter.
pub fn parse(source: &str) -> Result<Parsed, FilterError> {
    if source.len() > LENGTH_OCTETS_MAX {
        let fault = FilterFault::TooLong { octets: source.len() };
        return Err(FilterError::new("", 0..0, fault));
    }
    meaning::understand(source, &syntax::read(source)?)
}

/// What is printed for an attribute; `None` where no single attribute of Active Directory holds the value.
pub use names::name_of;
