//! Checks of where a message comes from: SPF, DKIM, DMARC and ARC, with our resolver and caches.
//!
//! In: a message, its reverse-path, its client. Out: [`Findings`], within a time limit; what took longer is a temporary
//! error. Never: decides who a sender is, holds a message up, keeps more content in memory than its bound.

mod cache;
mod check;
mod content;
pub mod published;
#[cfg(test)]
mod sealed_tests;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::categorizer::identify::{Authenticator, Question};
use crate::delivery::dns;
use crate::limits::AUTHENTICITY_MEMORY_OCTETS_MAX;
use crate::mail::authentication::Findings;
use cache::Caches;
use mail_auth::MessageAuthenticator;
use tokio::sync::Semaphore;

/// What the checks go by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckSettings {
    /// Our name, for SPF's explanations.
    pub host: String,
    /// Time for all checks of one message.
    pub time_limit: Duration,
    /// Name servers; empty for the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Wait for one answer of a name server.
    pub dns_timeout: Duration,
}

/// The checks. Cheap to clone; all clones share resolver and caches.
#[derive(Clone)]
pub struct Authenticity {
    shared: Arc<Shared>,
    time_limit: Duration,
}

/// What all checks share.
struct Shared {
    /// Our name, for SPF's explanations.
    host: String,
    /// None if the system has no usable settings: everything is a temporary error then.
    dns: Option<MessageAuthenticator>,
    caches: Caches,
    /// Octets of large messages that are in memory for their signatures, in units of [`content::UNIT_OCTETS`].
    memory: Arc<Semaphore>,
}

impl Authenticity {
    /// Ready to check.
    #[must_use]
    pub fn new(settings: &CheckSettings) -> Self {
        let resolver = dns::resolver(&settings.name_servers, settings.dns_timeout);
        Self {
            time_limit: settings.time_limit,
            shared: Arc::new(Shared {
                dns: resolver.map(MessageAuthenticator),
                caches: Caches::default(),
                memory: Arc::new(Semaphore::new(content::units(AUTHENTICITY_MEMORY_OCTETS_MAX))),
                host: settings.host.clone(),
            }),
        }
    }

    /// The same resolver and caches with another time limit.
    #[must_use]
    pub fn with_time_limit(&self, time_limit: Duration) -> Self {
        Self {
            time_limit,
            ..self.clone()
        }
    }
}

impl Authenticator for Authenticity {
    fn check(&self, question: Question) -> Pin<Box<dyn Future<Output = Findings> + Send>> {
        Box::pin(check::check(Arc::clone(&self.shared), self.time_limit, question))
    }
}
