//! Delivery against next hops on loopback and a spool in memory.

mod fairness;
mod faults;
mod hop;
mod hostile;
mod learning;
mod mx;
mod relay;
mod reports;
mod signing;
pub mod tls;
mod tls_reports;
pub mod web;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::env::Env;
use crate::mail::report::TlsReport;
use crate::mail::{BodyType, Envelope, EnvelopeRecipient, Mailbox, MessageId, Notify, ReversePath};
use crate::routing::{HostPort, NextHop, RetrySchedule, RoutesDraft, Target};
use crate::spool::content::Content;
use crate::spool::memory::MemorySpool;
use crate::spool::message::{Acceptance, Arrival, MessageKind, NewMessage, Outcome};
use crate::spool::roster::{NO_ORDINAL, Roster, RosterOrigin};
use crate::spool::{Recovered, Spool};
use crate::track::{Event, EventKind, ReportKind};
use hop::{Behaviour, Hop};

/// Longest wait for anything; only a broken test waits as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Notes what it is asked for and makes no message of it.
#[derive(Default)]
struct Notes {
    requests: Mutex<Vec<ReportRequest>>,
    tls_reports: Mutex<Vec<TlsReport>>,
}

impl Reporter for Notes {
    fn tls_report(&self, report: &TlsReport) -> Option<Acceptance> {
        self.tls_reports
            .lock()
            .expect("no panic under the lock")
            .push(report.clone());
        None
    }

    fn report(&self, request: ReportRequest) -> Option<Acceptance> {
        self.requests.lock().expect("no panic under the lock").push(request);
        None
    }
}

/// A set to be sent.
struct Letter {
    next_hop: String,
    recipients: Vec<String>,
    notify: Option<Notify>,
    expires_in: Duration,
    content: Vec<u8>,
}

impl Letter {
    fn to(next_hop: &str, recipients: &[&str]) -> Self {
        Self {
            next_hop: next_hop.to_owned(),
            recipients: recipients.iter().map(|text| (*text).to_owned()).collect(),
            notify: None,
            expires_in: Duration::from_secs(3_600),
            content: b"Subject: x\r\n\r\nhello\r\n.dot\r\n".to_vec(),
        }
    }

    fn numbered(next_hop: &str, count: u32) -> Self {
        let mut letter = Self::to(next_hop, &[]);
        letter.recipients = (0..count)
            .map(|number| format!("p{number:06}@contoso.example"))
            .collect();
        letter
    }
}

struct World {
    spool: Arc<MemorySpool>,
    notes: Arc<Notes>,
    school: Arc<learning::School>,
    delivery: DeliveryHandle,
    routes: Arc<Routes>,
    settings: DeliverySettings,
    current: Arc<dyn CurrentRoutes>,
}

fn hop_at(name: &str, addresses: &[SocketAddr]) -> NextHop {
    let hosts = addresses.iter().enumerate().map(|(index, address)| HostPort {
        preference: index as u16,
        ..HostPort::new(address.ip().to_string(), address.port())
    });
    let mut hop = NextHop::new(name, Target::Hosts(hosts.collect()), "relay.example");
    quick(&mut hop);
    hop
}

/// Retries soon and gives up waiting soon.
fn quick(hop: &mut NextHop) {
    hop.retry = RetrySchedule {
        first: Duration::from_millis(30),
        longest: Duration::from_millis(60),
        delay_report: Duration::from_secs(3_600),
    };
    let short = Duration::from_millis(300);
    hop.timeouts = crate::routing::HopTimeouts {
        connect: PATIENCE,
        greeting: short,
        handshake: short,
        mail: short,
        rcpt: short,
        data: short,
        block: short,
        dot: short,
    };
}

fn routes(hops: Vec<NextHop>) -> Arc<Routes> {
    let default = hops.first().map(|hop| hop.name.clone());
    let draft = RoutesDraft {
        hops,
        default,
        ..RoutesDraft::default()
    };
    Arc::new(Routes::build(draft).expect("good routes"))
}

impl World {
    fn start(hops: Vec<NextHop>) -> Self {
        Self::start_with(hops, DeliverySettings::default(), Arc::new(AsQueued))
    }

    fn start_with(hops: Vec<NextHop>, settings: DeliverySettings, current: Arc<dyn CurrentRoutes>) -> Self {
        let spool = Arc::new(MemorySpool::new(Env::system()));
        Self::on(spool, routes(hops), settings, current)
    }

    fn on(
        spool: Arc<MemorySpool>,
        routes: Arc<Routes>,
        settings: DeliverySettings,
        current: Arc<dyn CurrentRoutes>,
    ) -> Self {
        Self::in_env(spool, routes, settings, current, Env::system())
    }

    fn in_env(
        spool: Arc<MemorySpool>,
        routes: Arc<Routes>,
        settings: DeliverySettings,
        current: Arc<dyn CurrentRoutes>,
        env: Env,
    ) -> Self {
        let notes = Arc::new(Notes::default());
        let school = Arc::new(learning::School::default());
        let delivery = Delivery {
            spool: Arc::clone(&spool) as SharedSpool,
            routes: Arc::clone(&routes),
            reporter: Arc::clone(&notes) as Arc<dyn Reporter>,
            current: Arc::clone(&current),
            learner: Arc::clone(&school) as Arc<dyn crate::rolls::suspect::Learner>,
            env,
            settings: settings.clone(),
        }
        .start();
        Self {
            spool,
            notes,
            school,
            delivery,
            routes,
            settings,
            current,
        }
    }

    /// Crashes and starts again on what was committed.
    fn restart(self) -> Self {
        self.delivery.shared.phase.send_replace(Phase::Stopped);
        let world = Self::on(
            Arc::new(self.spool.survivor()),
            self.routes,
            self.settings,
            self.current,
        );
        let recovered: Recovered = world.spool.recover().expect("no fault");
        world.delivery.recover(recovered.sets);
        world
    }

    /// Commits a message and hands it to delivery.
    async fn send(&self, letters: Vec<Letter>) -> MessageId {
        let (sets, message, content) = self.commit(letters).await;
        let id = message.id;
        self.delivery.enqueue(sets, &Arc::new(message), &content);
        id
    }

    async fn commit(&self, letters: Vec<Letter>) -> (Vec<DeliverySet>, StoredMessage, Content) {
        let id = MessageId(Uuid::now_v7());
        let content = Content::in_memory(letters[0].content.clone());
        let sender = ReversePath::Mailbox(Mailbox::parse("hr@contoso.example").expect("valid"));
        let mut envelope = Envelope::from(sender.clone());
        let group = Mailbox::parse("all@contoso.example").expect("valid");
        envelope.recipients.push(EnvelopeRecipient::plain(group));
        let prefix: &[u8] = b"Received: by relay.example\r\n";
        let message = StoredMessage {
            id,
            received_at: Timestamp::now(),
            envelope,
            arrival: Arrival::at("in"),
            kind: MessageKind::Submitted,
            size_bytes: prefix.len() as u64 + content.len(),
            prefix: prefix.into(),
        };
        let sets: Vec<DeliverySet> = letters
            .into_iter()
            .map(|letter| self.set(id, &sender, &letter))
            .collect();
        let acceptance = Acceptance {
            message: NewMessage {
                message: message.clone(),
                content: content.clone(),
            },
            outcome: Some(Outcome {
                sets: sets.clone(),
                ..Outcome::default()
            }),
        };
        self.spool.accept(acceptance).await.expect("no fault");
        (sets, message, content)
    }

    fn set(&self, message: MessageId, sender: &ReversePath, letter: &Letter) -> DeliverySet {
        let mut roster = Roster::new("space".to_owned());
        let origin = roster.origin(RosterOrigin {
            addressed: "all@contoso.example".to_owned(),
            expanded: true,
            hidden: false,
            notify: letter.notify,
            original: None,
        });
        for (index, recipient) in letter.recipients.iter().enumerate() {
            let ordinal = if recipient.contains("outside") {
                NO_ORDINAL
            } else {
                index as u32
            };
            roster.push(ordinal, recipient, origin);
        }
        DeliverySet {
            id: self.spool.new_set_id(),
            message,
            next_hop: letter.next_hop.clone(),
            reverse_path: sender.clone(),
            ret: None,
            envid: None,
            body: BodyType::SevenBit,
            smtputf8: false,
            no_auto_replies: false,
            priority: crate::mail::Priority::Normal,
            roster,
            queued_at: Timestamp::now(),
            expires_at: Timestamp::now() + letter.expires_in,
        }
    }

    /// Waits until nothing is queued.
    async fn idle(&self) {
        tokio::time::timeout(PATIENCE, self.delivery.idle())
            .await
            .expect("the queue empties in time");
    }

    /// Waits for an event in the spool's outbox.
    async fn event(&self, what: impl Fn(&EventKind) -> bool) -> Event {
        let wait = async {
            loop {
                let events = self.events();
                if let Some(event) = events.into_iter().find(|event| what(&event.kind)) {
                    return event;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("the event comes in time")
    }

    fn events(&self) -> Vec<Event> {
        let outbox = self.spool.outbox(usize::MAX).expect("no fault");
        outbox.into_iter().map(|(_, event)| event).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.events().iter().filter(|event| event.kind.name() == name).count()
    }

    /// Reports asked for: kind and who is named, sorted.
    fn reports(&self) -> Vec<(ReportKind, Vec<String>)> {
        let requests = self.notes.requests.lock().expect("no panic under the lock");
        let named = |request: &ReportRequest| {
            let mut named: Vec<String> = request
                .recipients
                .iter()
                .map(|told| told.final_address.clone())
                .collect();
            named.sort();
            (request.kind, named)
        };
        requests.iter().map(named).collect()
    }
}
