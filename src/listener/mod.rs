//! Sockets that take mail in.
//!
//! In: connections. Out: submissions to an [`Intake`](crate::categorizer::intake::Intake), and its answers.
//! Never: a decision about mail; `smtp` and the intake decide, this room reads, writes and keeps time.

mod accept;
pub mod accounts;
mod deadline;
mod gate;
mod origin;
mod proxied;
mod rates;
mod screen;
mod session;
mod sessions;
mod settings;
mod strangers;
mod stream;
pub mod tls;

pub use accept::{Guards, Listener, Stopped};
pub use origin::ClientKey;
pub use rates::{Counted, Rate, RatePair, RateSettings};
pub use sessions::Sessions;
pub use settings::{Auth, ListenerSettings, Tls};
pub use strangers::{AddressList, AnswerRange, HelloCheck, ListAction, ReverseCheck, StrangerSettings};
