//! The policy of the running service with nothing behind it: attacks are judged by the code, the settings and the lists
//! that judge mail, and what they bring about is looked at and forgotten.
//!
//! In: the service. Out: listeners on loopback whose clients come from where an attack wants them to come from.
//! Never: an event in the trace, a row in the store, a copy at a next hop, a lesson about a recipient.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::app::service::{Service, listener_settings};
use crate::app::wiring;
use crate::categorizer::commit::Submissions;
use crate::categorizer::intake::{AddressedRecipient, ClientFacts, Intake, RcptParameters, Submission};
use crate::categorizer::{Categorizer, Dispatch, Views};
use crate::config::settings::{ListenerSettings, Role, Settings};
use crate::directory::delivery::DeliverySettings;
use crate::directory::group::GroupSettings;
use crate::directory::{
    ChangeSet, Directory, ObjectId, Ordinal, OrdinalSource, RecipientKind, RecipientObject, Reference, SourceId,
};
use crate::listener::{Listener, RateSettings, StrangerSettings};
use crate::mail::header::sieve::Unwelcome;
use crate::mail::trace::LoopKey;
use crate::mail::{Envelope, Mailbox, Reply, ReversePath};
use crate::queue::Masks;
use crate::resolver::sender::trusted;
use crate::resolver::{Origin, Sources};
use crate::rolls::past::PastFault;
use crate::rolls::roll::Cause;
use crate::rolls::{View, update};
use crate::spool::Spool as _;
use crate::spool::content::{Content, ContentWriter};
use crate::spool::memory::MemorySpool;
use crate::spool::message::{DeliverySet, StoredMessage};
use crate::track::Reason;
use crate::web::Page;

/// Longest wait for a pass that goes on after the reply.
const PASS_MAX: Duration = Duration::from_secs(60);

/// A message that would have gone to next hops.
#[derive(Clone)]
pub(super) struct Passed {
    pub(super) message: Arc<StoredMessage>,
    pub(super) content: Content,
    pub(super) recipients: u64,
}

/// Notes what would be delivered.
#[derive(Default)]
struct Notebook(Mutex<Vec<Passed>>);

impl Dispatch for Notebook {
    fn enqueue(&self, message: Arc<StoredMessage>, content: Content, sets: Vec<DeliverySet>, _: Masks) {
        let recipients = sets.iter().map(|set| u64::from(set.roster.len())).sum();
        let mut passed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        passed.push(Passed {
            message,
            content,
            recipients,
        });
    }
}

/// One view for all attacks: that of the service, with one more group.
struct Pinned {
    view: Arc<View>,
    space: String,
    sources: Sources,
}

impl Views for Pinned {
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    fn view_at(&self, _: &ObjectId, _: Timestamp) -> Result<Arc<View>, PastFault> {
        Ok(Arc::clone(&self.view))
    }

    fn space(&self) -> String {
        self.space.clone()
    }

    fn sources(&self) -> Sources {
        self.sources
    }
}

/// The intake with clients from another place.
struct From {
    intake: Submissions,
    client: IpAddr,
}

impl From {
    fn moved(&self, client: &ClientFacts) -> ClientFacts {
        ClientFacts {
            client: self.client,
            ..client.clone()
        }
    }
}

impl Intake for From {
    fn mail(&self, client: &ClientFacts, envelope: &Envelope) -> Result<(), Reply> {
        self.intake.mail(&self.moved(client), envelope)
    }

    fn rcpt(
        &self,
        client: &ClientFacts,
        envelope: &Envelope,
        recipient: &AddressedRecipient,
        parameters: &RcptParameters,
    ) -> Result<Mailbox, Reply> {
        self.intake.rcpt(&self.moved(client), envelope, recipient, parameters)
    }

    fn unwelcome(&self, client: &ClientFacts) -> Unwelcome {
        self.intake.unwelcome(&self.moved(client))
    }

    fn writer(&self) -> Result<Box<dyn ContentWriter>, Reply> {
        self.intake.writer()
    }

    fn submit(&self, submission: Submission) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        let client = self.moved(&submission.client);
        self.intake.submit(Submission { client, ..submission })
    }

    fn refused(&self, client: &ClientFacts, reverse_path: &ReversePath, reply: &Reply, reason: Reason) {
        self.intake.refused(&self.moved(client), reverse_path, reply, reason);
    }
}

/// Where an attacker stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Vantage {
    /// Somewhere, at a listener that takes mail from everywhere.
    Stranger,
    /// Somewhere, at a listener for our own clients.
    Relay,
    /// At another customer of a provider whose network settings name, or of Exchange Online.
    Neighbour,
}

/// A listener whose clients all come from one address.
struct Place {
    address: SocketAddr,
    /// Name of the listener in the settings.
    listener: String,
    client: IpAddr,
}

/// The mirror.
pub(super) struct Mirror {
    pub(super) categorizer: Arc<Categorizer>,
    pub(super) spool: Arc<MemorySpool>,
    pub(super) page: Option<SocketAddr>,
    stranger: Place,
    relay: Place,
    neighbour: Place,
    notebook: Arc<Notebook>,
    /// Dropped with the mirror: listeners and page end.
    _stop: watch::Sender<bool>,
}

/// An address that belongs to nobody (RFC 5737).
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));
/// An address of Exchange Online, for settings that name no shared network.
const PROVIDER: IpAddr = IpAddr::V4(Ipv4Addr::new(40, 107, 1, 1));

impl Mirror {
    /// Sets it up; `inner` becomes a member of a group that everybody may write to, at `outer`.
    pub(super) async fn of(service: &Service, inner: &RecipientObject, outer: &Mailbox) -> std::io::Result<Self> {
        let settings = service.settings.load_full();
        let routes = service.routes.load_full();
        let returns = wiring::returns(&settings, &service.return_key);
        let view = with_outer_group(&service.keeper.view(), inner, outer, &settings, service.env.clock.now());
        let spool = Arc::new(MemorySpool::new(service.env.clone()));
        let notebook = Arc::new(Notebook::default());
        let categorizer = Categorizer::new(
            wiring::organisation(&settings, &routes, &service.authenticity, returns, &service.env.clock),
            Arc::new(Pinned {
                view: Arc::new(view),
                space: service.keeper.space().to_owned(),
                sources: service.keeper.sources(service.env.clock.now()),
            }),
            Arc::clone(&spool) as crate::spool::SharedSpool,
            Arc::clone(&notebook) as Arc<dyn Dispatch>,
            LoopKey::random(&*service.env.chance),
            service.env.clone(),
        );
        let stop = watch::Sender::new(false);
        let page = match settings.web {
            None => None,
            Some(_) => {
                let page = Page::bind(loopback(), Arc::clone(&categorizer)).await?;
                let address = page.local_address()?;
                tokio::spawn(page.run(stop.subscribe()));
                Some(address)
            }
        };
        let at = |stated: &ListenerSettings, client: IpAddr| -> std::io::Result<Place> {
            let mut listener = listener_settings(stated, &settings);
            listener.address = loopback();
            // Who asks is this process, and it asks much at once.
            listener.proxy_from = Vec::new();
            listener.rates = RateSettings::default();
            listener.strangers = StrangerSettings::default();
            let intake = From {
                intake: Submissions(Arc::clone(&categorizer)),
                client,
            };
            let bound = Listener::bind(listener, Arc::new(intake), service.env.clone())?;
            let address = bound.local_address()?;
            tokio::spawn(bound.run(stop.subscribe()));
            Ok(Place {
                address,
                listener: stated.name.to_string(),
                client,
            })
        };
        let none = || std::io::Error::other("there is no listener");
        let of_role = |role: Role| settings.listeners.iter().find(|listener| listener.role == role);
        let inbound = of_role(Role::Inbound).or(settings.listeners.first()).ok_or_else(none)?;
        let shared = settings
            .trusted_networks
            .iter()
            .find(|network| network.tenancy.is_some());
        let shared_at = shared.and_then(|network| settings.listener(network.listeners.first()?.as_str()));
        let neighbour = shared
            .and_then(|network| network.networks.first())
            .map_or(PROVIDER, |range| range.first);
        Ok(Self {
            stranger: at(inbound, NOBODY)?,
            relay: at(of_role(Role::Relay).unwrap_or(inbound), NOBODY)?,
            neighbour: at(shared_at.unwrap_or(inbound), neighbour)?,
            categorizer: Arc::clone(&categorizer),
            spool,
            page,
            notebook,
            _stop: stop,
        })
    }

    /// Where sessions from there connect to.
    pub(super) fn address(&self, vantage: Vantage) -> SocketAddr {
        self.place(vantage).address
    }

    /// Name of the network that makes sessions from there our own.
    pub(super) fn trusted_by(&self, vantage: Vantage) -> Option<String> {
        let place = self.place(vantage);
        let rules = &self.categorizer.organisation().rules;
        trusted(&Origin::plain(&place.listener, place.client), rules).map(|network| network.name.to_string())
    }

    fn place(&self, vantage: Vantage) -> &Place {
        match vantage {
            Vantage::Stranger => &self.stranger,
            Vantage::Relay => &self.relay,
            Vantage::Neighbour => &self.neighbour,
        }
    }

    /// What would have been delivered since the last time. Passes that are not over yet are waited for.
    pub(super) async fn passed(&self) -> Vec<Passed> {
        let over = async {
            while self.spool.recover().is_ok_and(|open| !open.pending.is_empty()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(PASS_MAX, over).await.is_err() {
            tracing::warn!("the pass of an attack did not end in time");
        }
        std::mem::take(&mut *self.notebook.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// The view with one more group, which takes mail from everybody and has the one under attack as its only member.
fn with_outer_group(
    view: &View,
    inner: &RecipientObject,
    outer: &Mailbox,
    settings: &Settings,
    now: Timestamp,
) -> View {
    let mut group = RecipientObject::new(
        ObjectId::new(format!("spoof-test:{outer}")),
        RecipientKind::MailUniversalDistributionGroup,
        SourceId::new("spoof-test"),
        outer.clone(),
    );
    group.alias = Some(outer.local_part().into());
    group.delivery = Some(Box::new(DeliverySettings {
        require_sender_authentication: Some(false),
        ..DeliverySettings::default()
    }));
    group.group = Some(Box::new(GroupSettings {
        members: vec![Reference::new(inner.primary.as_str())],
        ..GroupSettings::default()
    }));
    let changes = ChangeSet {
        upserts: vec![group],
        removals: Vec::new(),
    };
    let mut ordinals = Beyond {
        directory: &view.directory,
        next: view.directory.live().max().map_or(0, |last| last + 1),
    };
    let first = ordinals.next;
    let (directory, _) = view
        .directory
        .apply(changes, &mut ordinals, view.directory.number(), now);
    let wider = View {
        directory: Arc::new(directory),
        ..view.clone()
    };
    let computed = update::again(
        &wider,
        [Ordinal(first)],
        &wiring::evaluation(settings),
        Cause::Created,
        now,
    );
    View {
        rolls: computed.rolls.into(),
        ..wider
    }
}

/// Known objects keep their ordinals; a new one gets one that nobody has.
struct Beyond<'a> {
    directory: &'a Directory,
    next: u32,
}

impl OrdinalSource for Beyond<'_> {
    fn ordinal(&mut self, id: &ObjectId) -> Ordinal {
        self.directory.ordinal_of(id).unwrap_or_else(|| {
            self.next += 1;
            Ordinal(self.next - 1)
        })
    }
}
