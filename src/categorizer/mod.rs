//! The categorisation pass and its commit.
//!
//! In: submissions from listeners, decisions on holds, failures that need a report.
//! Out: one commit per message with everything its pass decided, then copies for the queue.
//! Never: a 250 before the commit; half a pass; a report to a null reverse-path.

mod addressees;
mod answers;
pub mod commit;
pub mod decide;
pub mod filtering;
pub mod gate;
mod hold_letters;
pub mod identify;
pub mod intake;
pub mod outcome;
pub mod pass;
pub mod release;
pub mod report;
pub mod returned;
mod sealing;
mod sent;
mod stops;
mod storm;
mod trial;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use self::returned::Returning;
use crate::directory::ObjectId;
use crate::env::Env;
use crate::expansion::{self, HopId, Router};
use crate::mail::return_path::ReturnPaths;
use crate::mail::signature::Signing;
use crate::mail::trace::LoopKey;
use crate::mail::{HoldId, Mailbox, MessageId, Priority};
use crate::moderation::Moderation;
use crate::policy::Rules;
use crate::queue::Masks;
use crate::resolver::Sources;
use crate::rolls::View;
use crate::rolls::past::PastFault;
use crate::routing::About;
use crate::spool::content::Content;
use crate::spool::message::{DeliverySet, Hold, StoredMessage};
use crate::spool::{SharedSpool, SpoolFault};

/// Next hops as the categoriser needs them.
pub trait NextHops: Router + Send + Sync {
    /// The name that delivery knows a hop by.
    fn name(&self, hop: HopId) -> String;

    /// How long a copy for this hop stays in the queue.
    fn expiry(&self, hop: HopId) -> Duration;

    /// Names of the rules that chose this hop or its priority; none: place and domain did.
    fn rule(&self, hop: HopId) -> Option<Arc<str>> {
        let _ = hop;
        None
    }

    /// How urgent copies for this hop are. One destination has a number for each.
    fn priority(&self, hop: HopId) -> Priority {
        let _ = hop;
        Priority::Normal
    }
}

/// Where the next hops of one pass come from. A pass numbers them for itself: mail exchangers of outside
/// domains are next hops too, and their number has no bound.
pub trait HopSource: Send + Sync {
    /// Next hops for one pass over a message; none: for a question that is about no message.
    fn pass(&self, view: &View, about: Option<&About<'_>>) -> Box<dyn NextHops>;
}

/// Where committed copies go on.
pub trait Dispatch: Send + Sync {
    /// Takes sets that a commit holds, and which of their ranks are held back. Must not block.
    fn enqueue(&self, message: Arc<StoredMessage>, content: Content, sets: Vec<DeliverySet>, masks: Masks);
}

/// Settings of the organisation; swapped whole on reload.
pub struct Organisation {
    /// Our host name in trace fields and reports.
    pub host: String,
    /// Author of reports.
    pub postmaster: Mailbox,
    /// Settings that decide.
    pub rules: Rules,
    /// Bounds of expansions.
    pub limits: expansion::Limits,
    /// Next hops.
    pub hops: Arc<dyn HopSource>,
    /// Content filters.
    pub filters: Arc<dyn filtering::ContentFilter>,
    /// Checks of where messages come from.
    pub authenticator: Arc<dyn identify::Authenticator>,
    /// Most Received fields.
    pub received_fields_max: usize,
    /// Addresses that reports come back to, if a next hop's copies are sent with any.
    pub return_paths: Option<Arc<ReturnPaths>>,
    /// Keys that TLS reports are signed with.
    pub report_signing: Arc<Signing>,
    /// Settings of moderation.
    pub moderation: Moderation,
}

/// What answers "which view is current" and "may the directory say no".
pub trait Views: Send + Sync {
    /// The current view; pinned for one judgement or pass.
    fn view(&self) -> Arc<View>;

    /// The current view with the lists of an earlier time, for a group and all below it. Reads a store.
    fn view_at(&self, group: &ObjectId, time: Timestamp) -> Result<Arc<View>, PastFault>;

    /// UUID of the directory space that ordinals belong to.
    fn space(&self) -> String;

    /// Whether an unknown recipient may be refused for good.
    fn sources(&self) -> Sources;
}

/// The categoriser.
pub struct Categorizer {
    organisation: ArcSwap<Organisation>,
    views: Arc<dyn Views>,
    spool: SharedSpool,
    dispatch: Arc<dyn Dispatch>,
    loop_key: LoopKey,
    env: Env,
    decisions: tokio::sync::Mutex<()>,
    owner_notices: Mutex<HashMap<Mailbox, Timestamp>>,
    returning: OnceLock<Returning>,
    holds_changed: tokio::sync::Notify,
    brakes: storm::Brakes,
}

impl Categorizer {
    /// A categoriser over its neighbours.
    #[must_use]
    pub fn new(
        organisation: Organisation,
        views: Arc<dyn Views>,
        spool: SharedSpool,
        dispatch: Arc<dyn Dispatch>,
        loop_key: LoopKey,
        env: Env,
    ) -> Arc<Self> {
        Arc::new(Self {
            organisation: ArcSwap::from_pointee(organisation),
            views,
            spool,
            dispatch,
            loop_key,
            env,
            decisions: tokio::sync::Mutex::new(()),
            owner_notices: Mutex::default(),
            returning: OnceLock::new(),
            holds_changed: tokio::sync::Notify::new(),
            brakes: storm::Brakes::default(),
        })
    }

    /// From now on reports that come back are read; the first call counts.
    pub fn read_reports(&self, returning: Returning) {
        let _ = self.returning.set(returning);
    }

    /// Replaces the settings; passes under way finish with the old ones.
    pub fn reconfigure(&self, organisation: Organisation) {
        self.organisation.store(Arc::new(organisation));
    }

    /// The settings now.
    #[must_use]
    pub fn organisation(&self) -> Arc<Organisation> {
        self.organisation.load_full()
    }

    /// The view now.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.views.view()
    }

    /// Whether the directory's sources are recent.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.views.sources()
    }

    /// A hold in whatever state.
    pub fn hold(&self, id: HoldId) -> Result<Hold, SpoolFault> {
        self.spool.hold(id)
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// A message id that was never used before: UUID version 7.
    #[must_use]
    pub fn new_message_id(&self) -> MessageId {
        new_message_id(&self.env)
    }
}

/// A message id that was never used before: UUID version 7.
#[must_use]
pub fn new_message_id(env: &Env) -> MessageId {
    let mut random = [0; 10];
    env.chance.fill(&mut random);
    let millis = u64::try_from(env.clock.now().as_millisecond()).unwrap_or(0);
    MessageId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
