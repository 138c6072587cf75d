//! Settings: one file, all findings at once.
//!
//! In: the path of a TOML file. Out: [`Settings`] that hold together, or every [`Finding`] with line, column and
//! what was probably meant. Never: half a set of settings; an unknown key passed over.

mod accepted;
mod approval;
mod check;
pub mod credentials;
mod cross;
mod defaults;
pub mod file;
pub mod filters;
pub mod finding;
pub mod hop;
pub mod listen;
mod load;
mod protection;
mod quantity;
pub mod rate;
mod returns;
pub mod route;
pub mod settings;
pub mod signing;
pub mod storm;
pub mod strangers;
pub mod terms;
pub mod tls_reports;
mod trust;
pub mod word;

pub use crate::connectors::document::units;
pub use check::check;
pub use finding::{Finding, Findings, Severity};
pub use load::{LoadError, load};
pub use settings::Settings;

#[cfg(test)]
mod tests;
