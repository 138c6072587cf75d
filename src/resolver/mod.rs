//! Resolver: from an address to the recipient object, and from a connection to who the sender is.
//!
//! In: addresses, the directory, the organisation's settings, where the client connects from.
//! Out: an object or an outside address to relay to; a sender with the proof of what he is.
//! Never: takes a header field or a domain as proof by itself; answers "unknown" before the directory is loaded.

pub mod accepted;
pub mod login;
pub mod lookup;
pub mod network;
pub mod proof;
pub mod sender;
pub mod shared;

pub use accepted::{AcceptedDomain, AcceptedDomains, DomainKind};
pub use login::{AddressPattern, Login};
pub use lookup::{How, Relaying, Resolved, Sources, resolve};
pub use network::{CertificateName, IpNet, Origin, Tenancy, TrustedNetwork};
pub use proof::{Evidence, Proof, Prospect};
pub use sender::{Sender, Standing};
