//! Sockets that take mail in.
//!
//! In: connections. Out: submissions to an [`Intake`](crate::categorizer::intake::Intake), and its answers.
//! Never: a decision about mail; `smtp` and the intake decide, this room reads, writes and keeps time.

mod accept;
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

pub use accept::{Listener, Stopped};
pub use rates::{Counted, Rate, RatePair, RateSettings};
pub use sessions::Sessions;
pub use settings::ListenerSettings;
pub use strangers::{AddressList, AnswerRange, HelloCheck, ListAction, ReverseCheck, StrangerSettings};
