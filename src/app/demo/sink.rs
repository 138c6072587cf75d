//! A next hop of the demo: takes every message over SMTP and remembers who it was for.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::categorizer::intake::{AddressedRecipient, ClientFacts, Intake, ListenerRole, RcptParameters, Submission};
use crate::env::Env;
use crate::listener::{Listener, ListenerSettings};
use crate::mail::header::sieve::Unwelcome;
use crate::mail::{Envelope, Mailbox, Reply, ReversePath};
use crate::spool::Spool as _;
use crate::spool::content::ContentWriter;
use crate::spool::memory::MemorySpool;
use crate::track::Reason;

/// One copy as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Who it is for.
    pub recipients: Vec<String>,
    /// `Subject` as it stands.
    pub subject: String,
}

/// A next hop on loopback.
pub struct Sink {
    name: &'static str,
    address: SocketAddr,
    taken: Arc<Taken>,
    arrivals: watch::Receiver<usize>,
    _stop: watch::Sender<bool>,
}

struct Taken {
    copies: Mutex<Vec<Arrived>>,
    count: watch::Sender<usize>,
    spool: MemorySpool,
}

impl Sink {
    /// Starts on a free port.
    pub fn start(name: &'static str, env: &Env) -> Result<Self, String> {
        let (count, arrivals) = watch::channel(0);
        let taken = Arc::new(Taken {
            copies: Mutex::default(),
            count,
            spool: MemorySpool::new(env.clone()),
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = ListenerSettings::new(name, address, ListenerRole::Inbound, &format!("{name}.demo.example"));
        let listener = Listener::bind(settings, Arc::clone(&taken) as Arc<dyn Intake>, env.clone())
            .map_err(|fault| format!("next hop {name} cannot listen: {fault}"))?;
        let address = listener.local_address().map_err(|fault| fault.to_string())?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(listener.run(stopped));
        Ok(Self {
            name,
            address,
            taken,
            arrivals,
            _stop: stop,
        })
    }

    /// Its name in the settings.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Recipients of copies with this subject so far.
    pub fn recipients_of(&self, subject: &str) -> Vec<String> {
        let copies = self.taken.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = copies.iter().filter(|copy| copy.subject == subject);
        wanted.flat_map(|copy| copy.recipients.clone()).collect()
    }

    /// Changes with every copy that arrives.
    pub fn arrivals(&self) -> watch::Receiver<usize> {
        self.arrivals.clone()
    }
}

impl Intake for Taken {
    fn mail(&self, _: &ClientFacts, _: &Envelope) -> Result<(), Reply> {
        Ok(())
    }

    fn rcpt(
        &self,
        _: &ClientFacts,
        _: &Envelope,
        recipient: &AddressedRecipient,
        _: &RcptParameters,
    ) -> Result<Mailbox, Reply> {
        match recipient {
            AddressedRecipient::Mailbox(mailbox) => Ok(mailbox.clone()),
            AddressedRecipient::Postmaster => Err(Reply::new(550, (5, 1, 1), "Not here")),
        }
    }

    fn unwelcome(&self, _: &ClientFacts) -> Unwelcome {
        Unwelcome::nothing()
    }

    fn writer(&self) -> Result<Box<dyn ContentWriter>, Reply> {
        self.spool
            .writer()
            .map_err(|fault| Reply::new(451, (4, 3, 0), fault.to_string()))
    }

    fn submit(&self, submission: Submission) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        let head = crate::mail::header::HeaderFacts::read(&submission.content.head).unwrap_or_default();
        let recipients = submission
            .envelope
            .recipients
            .iter()
            .map(|to| to.forward_path.to_string());
        let arrived = Arrived {
            recipients: recipients.collect(),
            subject: head.subject.unwrap_or_default(),
        };
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.push(arrived);
        self.count.send_replace(copies.len());
        Box::pin(std::future::ready(Reply::new(250, (2, 6, 0), "Taken")))
    }

    fn refused(&self, _: &ClientFacts, _: &ReversePath, _: &Reply, _: Reason) {}
}
