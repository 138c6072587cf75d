//! Next hops of recipients, looked up once per distinct place.

use std::collections::HashMap;

use crate::directory::{Location, Ordinal, RecipientObject, RowRef};
use crate::mail::Mailbox;
use crate::routing::Class;
use crate::track::Reason;

/// A next hop as the router of one pass numbers it; the router knows its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct HopId(pub u32);

/// Where an object is, as routes ask; an outside address has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Where its mailbox or target is.
    pub location: Location,
    /// It has a target address.
    pub has_target: bool,
}

impl From<&RecipientObject> for Place {
    fn from(object: &RecipientObject) -> Self {
        Self {
            location: object.location,
            has_target: object.target_address.is_some(),
        }
    }
}

impl From<RowRef<'_>> for Place {
    fn from(row: RowRef<'_>) -> Self {
        Self {
            location: row.location(),
            has_target: row.has_target(),
        }
    }
}

/// Where mail for a recipient leaves to.
///
/// The answer may depend on the class, on whether there is an object, on its location, on whether it has a target
/// address, and on the domain of the final address; on nothing else, because it is remembered by these.
pub trait Router {
    /// The next hop of a recipient of no class, or why there is none.
    fn next_hop(&self, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason>;

    /// What a recipient is to the rules of the settings, below the addressed recipient with this index; asked for each,
    /// so it has to be quick. Without rules all are the same.
    fn class(&self, addressed: u32, recipient: Option<Ordinal>) -> Class {
        let _ = (addressed, recipient);
        Class::default()
    }

    /// The next hop of a recipient of a class.
    fn next_hop_of(&self, class: Class, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
        let _ = class;
        self.next_hop(place, final_address)
    }

    /// Where a group goes that is not cut over, whatever its address; none: every group is expanded here.
    fn side_by_side(&self, group: &Mailbox) -> Option<HopId> {
        let _ = group;
        None
    }
}

/// Distinct places looked at one after the other before the map is asked; most organisations have fewer.
const SCAN_MAX: usize = 8;

struct Known {
    class: Class,
    domain: Box<str>,
    place: Option<Place>,
    answer: Result<HopId, Reason>,
}

/// Answers of a router during one expansion.
pub(super) struct Routes<'a> {
    router: &'a dyn Router,
    known: Vec<Known>,
    /// Indexes of `known` beyond the first [`SCAN_MAX`], by domain.
    rest: HashMap<Box<str>, Vec<usize>>,
    last: usize,
}

impl<'a> Routes<'a> {
    pub(super) fn new(router: &'a dyn Router) -> Self {
        Self {
            router,
            known: Vec::new(),
            rest: HashMap::new(),
            last: 0,
        }
    }

    /// Where a group goes that is not cut over.
    pub(super) fn side_by_side(&self, group: &Mailbox) -> Option<HopId> {
        self.router.side_by_side(group)
    }

    /// The next hop of a recipient below an addressed one. Domains are compared as spelled: another spelling costs
    /// one more question.
    pub(super) fn hop(
        &mut self,
        addressed: u32,
        recipient: Option<Ordinal>,
        place: Option<Place>,
        final_address: &Mailbox,
    ) -> Result<HopId, Reason> {
        let class = self.router.class(addressed, recipient);
        let domain = final_address.domain();
        let fits = |known: &Known| known.class == class && known.place == place && *known.domain == *domain;
        // Neighbours in a roll mostly share place and domain.
        if let Some(known) = self.known.get(self.last).filter(|known| fits(known)) {
            return known.answer;
        }
        let scanned = self.known.iter().take(SCAN_MAX).position(fits);
        let found = scanned.or_else(|| {
            let listed = self.rest.get(domain)?;
            listed
                .iter()
                .copied()
                .find(|index| self.known.get(*index).is_some_and(fits))
        });
        if let Some(known) = found.and_then(|index| self.known.get(index)) {
            self.last = found.unwrap_or(0);
            return known.answer;
        }
        let answer = self.router.next_hop_of(class, place, final_address);
        self.last = self.known.len();
        if self.last >= SCAN_MAX {
            self.rest.entry(domain.into()).or_default().push(self.last);
        }
        self.known.push(Known {
            class,
            domain: domain.into(),
            place,
            answer,
        });
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Counting(Cell<u32>);

    impl Router for Counting {
        fn next_hop(&self, _: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
            self.0.set(self.0.get() + 1);
            let number = final_address
                .domain()
                .trim_start_matches('d')
                .trim_end_matches(".example");
            number.parse().map(HopId).map_err(|_| Reason::NoRoute)
        }
    }

    #[test]
    fn each_place_is_asked_once() {
        let router = Counting(Cell::new(0));
        let mut routes = Routes::new(&router);
        for round in 0..3 {
            for number in 0..40 {
                let mailbox = Mailbox::parse(&format!("x{round}@d{number}.example")).expect("valid");
                assert_eq!(routes.hop(0, None, None, &mailbox), Ok(HopId(number)));
            }
        }
        // The same domain, with and without an object and a target, are other places.
        let person = crate::directory::testing::person("x@d1.example").build();
        let mut targeted = person.clone();
        targeted.target_address = Some(person.primary.clone());
        for object in [&person, &targeted, &person] {
            assert_eq!(routes.hop(0, None, Some(object.into()), &object.primary), Ok(HopId(1)));
        }
        let nowhere = Mailbox::parse("x@nowhere.example").expect("valid");
        assert_eq!(routes.hop(0, None, None, &nowhere), Err(Reason::NoRoute));
        assert_eq!(routes.hop(0, None, None, &nowhere), Err(Reason::NoRoute));
        assert_eq!(router.0.get(), 43);
    }
}
