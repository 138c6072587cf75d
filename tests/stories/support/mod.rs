//! What every story needs: an organisation on disk, a running `muster`, next hops and clients.

pub mod approval;
pub mod browser;
pub mod client;
pub mod dns;
pub mod hop;
pub mod keys;
pub mod organisation;
pub mod recipe;
pub mod signing;
pub mod tls;
pub mod world;

pub use approval::{Request, decoded};
pub use client::{Client, message};
pub use hop::Hop;
pub use organisation::Organisation;
pub use recipe::Recipe;
pub use world::World;
