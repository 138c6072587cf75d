//! The routes of the settings as passes ask for them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::categorizer::{HopSource, NextHops};
use crate::directory;
use crate::expansion::{HopId, Place, Router};
use crate::mail::Mailbox;
use crate::routing::{self, Routes};
use crate::track::Reason;

/// Routes that passes are served from.
pub struct RoutedHops(pub Arc<Routes>);

impl HopSource for RoutedHops {
    fn pass(&self) -> Box<dyn NextHops> {
        Box::new(PassHops {
            routes: Arc::clone(&self.0),
            labels: Mutex::default(),
        })
    }
}

/// Next hops of one pass: each destination it meets gets a number.
struct PassHops {
    routes: Arc<Routes>,
    labels: Mutex<Vec<(String, routing::HopId)>>,
}

impl Router for PassHops {
    fn next_hop(&self, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
        let location = place.map(|place| location(place.location));
        let has_target = place.is_some_and(|place| place.has_target);
        let domain = final_address.domain();
        let hop = self.routes.next_hop(location, has_target, domain)?;
        Ok(self.numbered(hop, domain))
    }

    fn side_by_side(&self, group: &Mailbox) -> Option<HopId> {
        let hop = self.routes.side_by_side()?;
        Some(self.numbered(hop, group.domain()))
    }
}

impl PassHops {
    /// The number of a destination in this pass.
    fn numbered(&self, hop: routing::HopId, domain: &str) -> HopId {
        let label = self.routes.label(hop, domain);
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let known = labels.iter().position(|(known, _)| *known == label);
        let place = known.unwrap_or_else(|| {
            labels.push((label.into_owned(), hop));
            labels.len() - 1
        });
        HopId(u32::try_from(place).unwrap_or(u32::MAX))
    }
}

impl NextHops for PassHops {
    fn name(&self, hop: HopId) -> String {
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        labels
            .get(hop.0 as usize)
            .map(|(label, _)| label.clone())
            .unwrap_or_default()
    }

    fn expiry(&self, hop: HopId) -> Duration {
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let id = labels.get(hop.0 as usize).map(|(_, id)| *id);
        id.map_or(crate::limits::QUEUE_EXPIRY, |id| self.routes.hop(id).expiry)
    }
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
