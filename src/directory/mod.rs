//! Recipient objects in memory: one immutable generation at a time.

pub mod attribute;
pub mod delivery;
pub mod dn;
pub mod documented;
pub mod filter;
pub mod group;
pub mod intern;
pub mod kind;
pub mod names;
pub mod recipient;
pub mod value;
