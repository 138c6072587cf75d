//! `trace --was`: was somebody in the lists that a message was expanded with?
//!
//! In: the EXPAND events of a message, which name versions of lists, and the history of these lists. Out: yes with the
//! path, or no with when he joined or left. Never: a no for a list whose history is no longer kept.

use super::groups::Groups;
use super::kept::Reach;
use super::trace::unavailable;
use crate::admin::answer::{EntryChange, WasList, WasMember};
use crate::admin::service::{Refusal, RefusalKind};
use crate::directory::Ordinal;
use crate::mail::{AddressKey, Mailbox, MessageId};
use crate::rolls::history::{self, Difference, Past};
use crate::rolls::roll::Entries;
use crate::store::TraceStore;
use crate::track::{Event, EventKind};

/// Who is asked about.
struct Person {
    address: String,
    object: Option<Ordinal>,
    keys: Vec<AddressKey>,
}

impl Person {
    fn is_in(&self, list: &Entries) -> bool {
        self.object.is_some_and(|object| list.objects.contains(object.0))
            || self.keys.iter().any(|key| list.has_outside(key))
    }
}

/// Answers the question.
pub fn was(
    store: &dyn TraceStore,
    groups: &Groups<'_>,
    message: MessageId,
    recipient: &str,
) -> Result<WasMember, Refusal> {
    let events = store.of_message(message).map_err(unavailable)?;
    let Some(first) = events.first() else {
        let text = format!("nothing is known of message {message}");
        return Err(Refusal::new(RefusalKind::NotFound, text));
    };
    let person = groups.person(recipient)?;
    let mut lists = Vec::new();
    for event in &events {
        if let Some(list) = groups.was_in(&person, event)? {
            lists.push(list);
        }
    }
    let addressed = addressed(&events, &person);
    Ok(WasMember {
        message,
        at: first.at,
        member: addressed || lists.iter().any(|list| list.member == Some(true)),
        addressed,
        recipient: person.address,
        lists,
    })
}

/// True if the message names the person himself.
fn addressed(events: &[Event], person: &Person) -> bool {
    events.iter().any(|event| match &event.kind {
        EventKind::Receive { recipients, .. } => recipients
            .iter()
            .filter_map(|address| Mailbox::parse(address).ok())
            .any(|address| person.keys.contains(&address.key())),
        _ => false,
    })
}

impl Groups<'_> {
    fn person(&self, name: &str) -> Result<Person, Refusal> {
        match (self.find(name), Mailbox::parse(name)) {
            (Ok((ordinal, object)), _) => Ok(Person {
                address: object.primary.to_string(),
                object: Some(ordinal),
                keys: object.mailboxes().map(Mailbox::key).collect(),
            }),
            // Nobody's address today may still be an implicit contact.
            (Err(_), Ok(address)) => Ok(Person {
                keys: vec![address.key()],
                address: address.to_string(),
                object: None,
            }),
            (Err(refusal), Err(_)) => Err(refusal),
        }
    }

    /// What one expansion says about the person; none for an event of another kind.
    fn was_in(&self, person: &Person, event: &Event) -> Result<Option<WasList>, Refusal> {
        let EventKind::Expand {
            group,
            path,
            roll_version,
            ..
        } = &event.kind
        else {
            return Ok(None);
        };
        let mut list = WasList {
            group: group.clone(),
            path: path.clone(),
            version: *roll_version,
            member: None,
            change: None,
        };
        let Ok((ordinal, _)) = self.group(group) else {
            return Ok(Some(list));
        };
        let Some(roll) = self.view.roll(ordinal) else {
            return Ok(Some(list));
        };
        let differences = self.kept.differences(ordinal, Reach::All)?;
        let then = history::back_to_version(roll, &differences, *roll_version)
            .map_err(|fault| Refusal::new(RefusalKind::Broken, fault.to_string()))?;
        let Past::Known(then) = then else {
            return Ok(Some(list));
        };
        let entries = then.subscribers.unwrap_or(then.entries);
        list.member = Some(person.is_in(&entries));
        list.change = self.change_since(person, &differences, *roll_version);
        Ok(Some(list))
    }

    /// The first change of the person's membership after a version.
    fn change_since(&self, person: &Person, differences: &[Difference], version: u64) -> Option<EntryChange> {
        let object = person.object?;
        let later = differences
            .iter()
            .rev()
            .filter(|difference| difference.version > version);
        later
            .into_iter()
            .find_map(|difference| self.change_of(difference, object))
    }
}
