//! The routes of the settings as passes and later attempts ask for them.
//!
//! In: routes, a generation of the directory, a message. Out: for each recipient a destination, numbered within the pass.
//! Never: two answers for one recipient. Passes, `explain` and later attempts choose by [`LiveRules`] and [`Routes`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::categorizer::{HopSource, NextHops};
use crate::directory::{self, Directory, Ordinal};
use crate::env::Clock;
use crate::expansion::{HopId, Place, Router};
use crate::mail::{Mailbox, Priority, TlsWish};
use crate::rolls::View;
use crate::routing::{self, About, Class, LiveRules, Routes, Rows, Ruling};
use crate::track::Reason;

/// How long rows that change with the time alone are used.
const ROWS_AGE_MAX: SignedDuration = SignedDuration::from_secs(60);

/// Routes that passes are served from.
pub struct RoutedHops {
    routes: Arc<Routes>,
    rows: RuleRows,
}

impl RoutedHops {
    /// Routes as they are asked from now on.
    #[must_use]
    pub fn new(routes: Arc<Routes>, clock: Arc<dyn Clock>) -> Self {
        Self {
            routes,
            rows: RuleRows::new(clock),
        }
    }
}

impl HopSource for RoutedHops {
    fn pass(&self, view: &View, about: Option<&About<'_>>) -> Box<dyn NextHops> {
        let live = self.rows.live(&self.routes, &view.directory, about);
        let addressed = about.map_or(&[][..], |about| about.recipients);
        let row = |mailbox: &Mailbox| view.directory.lookup(&mailbox.key()).one().map(|ordinal| ordinal.0);
        Box::new(PassHops {
            addressed: if live.is_empty() {
                Vec::new()
            } else {
                addressed.iter().map(|to| row(&to.forward_path)).collect()
            },
            tls: about.map_or(TlsWish::Unsaid, |about| about.tls),
            live,
            routes: Arc::clone(&self.routes),
            destinations: Mutex::default(),
        })
    }
}

/// Which rows of the directory rules name: found once for a generation, when the first message asks.
pub struct RuleRows {
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    directory: Weak<Directory>,
    routes: Weak<Routes>,
    rows: HashMap<usize, (Rows, Timestamp)>,
}

impl RuleRows {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            known: Mutex::default(),
        }
    }

    /// The rules that may decide about a message.
    pub fn live(&self, routes: &Arc<Routes>, directory: &Arc<Directory>, about: Option<&About<'_>>) -> LiveRules {
        if routes.rules().is_empty() {
            return LiveRules::default();
        }
        let now = self.clock.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.directory.as_ptr() == Arc::as_ptr(directory) && known.routes.as_ptr() == Arc::as_ptr(routes);
        // A weak pointer keeps the place from being given to another one.
        if !same {
            *known = Known {
                directory: Arc::downgrade(directory),
                routes: Arc::downgrade(routes),
                rows: HashMap::new(),
            };
        }
        LiveRules::of(routes.rules(), about, |place| {
            let when = &routes.rules()[place].when;
            let fresh = |found: &Timestamp| !when.depends_on_now() || now.duration_since(*found) < ROWS_AGE_MAX;
            match known.rows.get(&place).filter(|(_, found)| fresh(found)) {
                Some((rows, _)) => rows.clone(),
                None => {
                    let rows = when.rows(directory, now);
                    known.rows.insert(place, (rows.clone(), now));
                    rows
                }
            }
        })
    }
}

/// A destination as one pass met it.
#[derive(Clone, PartialEq)]
struct Met {
    label: String,
    hop: routing::HopId,
    rule: Option<Arc<str>>,
    priority: Priority,
}

/// Next hops of one pass: each destination it meets gets a number, another one for another rule or priority.
struct PassHops {
    routes: Arc<Routes>,
    live: LiveRules,
    /// Rows of the addressed recipients.
    addressed: Vec<Option<u32>>,
    /// What the sender wants of TLS.
    tls: TlsWish,
    destinations: Mutex<Vec<Met>>,
}

impl Router for PassHops {
    fn next_hop(&self, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
        self.numbered(Ruling::default(), place, final_address)
    }

    fn class(&self, addressed: u32, recipient: Option<Ordinal>) -> Class {
        if self.live.is_empty() {
            return Class::default();
        }
        let addressed = self.addressed.get(addressed as usize).copied().flatten();
        self.live.class(addressed, recipient.map(|ordinal| ordinal.0))
    }

    fn next_hop_of(&self, class: Class, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
        let location = place.map(|place| location(place.location));
        let ruling = self.live.ruling(class, location, final_address.domain());
        self.numbered(ruling, place, final_address)
    }

    fn side_by_side(&self, group: &Mailbox) -> Option<HopId> {
        let hop = self.routes.side_by_side()?;
        Some(self.number(hop, &Ruling::default(), group.domain()))
    }
}

impl PassHops {
    fn numbered(&self, ruling: Ruling, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
        let domain = final_address.domain();
        let hop = chosen(&self.routes, &ruling, place, domain)?;
        Ok(self.number(hop, &ruling, domain))
    }

    /// The number of a destination in this pass.
    fn number(&self, hop: routing::HopId, ruling: &Ruling, domain: &str) -> HopId {
        let met = Met {
            label: self.routes.label(hop, domain, self.tls).into_owned(),
            hop,
            rule: ruling.rule.clone(),
            priority: ruling.priority,
        };
        let mut destinations = self.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        let known = destinations.iter().position(|known| *known == met);
        let place = known.unwrap_or_else(|| {
            destinations.push(met);
            destinations.len() - 1
        });
        HopId(u32::try_from(place).unwrap_or(u32::MAX))
    }

    fn met(&self, hop: HopId) -> Option<Met> {
        let destinations = self.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        destinations.get(hop.0 as usize).cloned()
    }
}

impl NextHops for PassHops {
    fn name(&self, hop: HopId) -> String {
        self.met(hop).map(|met| met.label).unwrap_or_default()
    }

    fn expiry(&self, hop: HopId) -> Duration {
        let met = self.met(hop);
        met.map_or(crate::limits::QUEUE_EXPIRY, |met| self.routes.hop(met.hop).expiry)
    }

    fn rule(&self, hop: HopId) -> Option<Arc<str>> {
        self.met(hop)?.rule
    }

    fn priority(&self, hop: HopId) -> Priority {
        self.met(hop).map(|met| met.priority).unwrap_or_default()
    }
}

/// The next hop of a recipient: what rules say, else his place and domain.
pub fn chosen(routes: &Routes, ruling: &Ruling, place: Option<Place>, domain: &str) -> Result<routing::HopId, Reason> {
    if let Some(hop) = ruling.next_hop {
        return Ok(hop);
    }
    let location = place.map(|place| location(place.location));
    let has_target = place.is_some_and(|place| place.has_target);
    routes.next_hop(location, has_target, domain)
}

/// A location as routes know it.
#[must_use]
pub fn location(location: directory::Location) -> routing::Location {
    match location {
        directory::Location::Cloud => routing::Location::Cloud,
        directory::Location::OnPremises => routing::Location::OnPremises,
        directory::Location::External => routing::Location::External,
    }
}
