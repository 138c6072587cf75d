//! Words of mail: addresses, envelopes, header sections, replies, reports.

pub mod address;
pub mod authentication;
pub mod bounce;
pub mod envelope;
pub mod header;
pub mod id;
pub mod priority;
pub mod reply;
pub mod report;
pub mod return_path;
pub mod signature;
pub mod status;
pub mod trace;

pub use address::{AddressFault, AddressKey, Domain, Mailbox, ReversePath};
pub use envelope::{BodyType, Envelope, EnvelopeRecipient, Notify, OriginalRecipient, ReturnContent, TlsWish};
pub use id::{HoldId, MessageId, SetId, StopId};
pub use priority::Priority;
pub use reply::Reply;
pub use status::EnhancedStatus;
