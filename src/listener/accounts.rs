//! What a listener asks of who knows the accounts.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use crate::resolver::Login;
use crate::smtp::sasl::{Answer, Mechanisms, Question};

/// An answer, and the account it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// For the exchange.
    pub answer: Answer,
    /// Who the client is if the exchange succeeds.
    pub login: Option<Login>,
}

/// Those who know the accounts. Answers within a time limit of their own.
pub trait Accounts: Send + Sync + 'static {
    /// Mechanisms that can be answered.
    fn mechanisms(&self) -> Mechanisms;

    /// True if a client may try: not after too many failures.
    fn may_try(&self, client: IpAddr) -> bool;

    /// A client failed.
    fn failed(&self, client: IpAddr);

    /// Answers a question of an exchange.
    fn answer(&self, question: Question) -> Pin<Box<dyn Future<Output = Told> + Send>>;
}
