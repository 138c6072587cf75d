//! Recipient objects in memory: one immutable generation at a time.
//!
//! In: objects as connectors hand them over. Out: a [`Directory`] that answers who an address belongs to,
//! and rules that say who belongs to a dynamic group. Never: I/O, a clock, a change of what is being read.

mod answer;
pub mod attribute;
pub mod change;
pub mod column;
mod columns;
pub mod delivery;
mod dictionary;
pub mod dn;
pub mod documented;
mod facts;
pub mod fields;
pub mod filter;
pub mod generation;
pub mod group;
pub mod index;
pub mod intern;
pub mod kind;
pub mod names;
mod octets;
mod origin;
mod posting;
pub mod recipient;
mod record;
pub mod row;
#[cfg(test)]
mod storage_tests;
pub mod stored;
#[doc(hidden)]
pub mod testing;
pub mod value;

pub use change::{ChangeSet, Finding, OrdinalSource, Tombstone};
pub use column::{Column, Container, Containers, Postings};
pub use delivery::{DeliverySettings, ModerationSettings, Reference};
pub use generation::Directory;
pub use group::GroupSettings;
pub use index::{Lookup, Ordinal};
pub use kind::{RecipientKind, RecipientType};
pub use recipient::{Location, ObjectId, ObjectState, ProxyAddress, RecipientObject, SourceId};
pub use row::{Found, RowRef};
