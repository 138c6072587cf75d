//! A line as an event, by the names of the columns that the log itself states.
//!
//! Versions differ in columns (2013 added `network-message-id`, 2016 `transport-traffic-type`), so places are taken
//! from `#Fields:`; the log's header may come again within a file after the service was updated.

use std::borrow::Cow;

use jiff::Timestamp;

use super::fields::{self, FieldsFault};

/// An event that says who a group reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, in UTC.
    pub at: Timestamp,
    /// Which message: its Message-ID, which stays the same on every server; else the server's own number.
    pub message: Box<str>,
    /// What happened.
    pub kind: EventKind,
    /// `recipient-address`, separated; folded to lower case.
    pub recipients: Vec<Box<str>>,
    /// `related-recipient-address`, separated; folded to lower case.
    pub related: Vec<Box<str>>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A group was expanded.
    Expand,
    /// An address was found to mean another.
    Resolve,
}

/// Why a line cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventFault {
    /// The line is no list of fields.
    #[error(transparent)]
    Fields(#[from] FieldsFault),
    /// Fewer fields than the header names up to the ones needed.
    #[error("the line has fewer fields than #Fields: names")]
    Short,
    /// Its time cannot be read.
    #[error("date-time is not a time in UTC")]
    Time,
    /// It names no group.
    #[error("related-recipient-address is empty")]
    NoGroup,
    /// Neither a Message-ID nor a number.
    #[error("the line names no message")]
    NoMessage,
}

/// Where the columns stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    date_time: usize,
    event_id: usize,
    message_id: usize,
    recipients: usize,
    related: usize,
    server: Option<usize>,
    internal_id: Option<usize>,
}

/// A column that is needed and not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header names no column {0}")]
pub struct ColumnMissing(pub &'static str);

impl Columns {
    /// From the list after `#Fields:`.
    pub fn parse(list: &str) -> Result<Self, ColumnMissing> {
        let names: Vec<&str> = list.split(',').map(str::trim).collect();
        let place = |name: &str| names.iter().position(|each| each.eq_ignore_ascii_case(name));
        let needed = |name: &'static str| place(name).ok_or(ColumnMissing(name));
        Ok(Self {
            date_time: needed("date-time")?,
            event_id: needed("event-id")?,
            message_id: needed("message-id")?,
            recipients: needed("recipient-address")?,
            related: needed("related-recipient-address")?,
            server: place("server-hostname"),
            internal_id: place("internal-message-id"),
        })
    }

    /// The event of a line; `None` for one that says nothing about groups.
    pub fn event(&self, line: &str) -> Result<Option<Event>, EventFault> {
        // Most lines are other events: they need not be taken apart.
        if !line.contains("EXPAND") && !line.contains("RESOLVE") {
            return Ok(None);
        }
        let fields = fields::split(line)?;
        let field = |place: usize| fields.get(place).map(Cow::as_ref).ok_or(EventFault::Short);
        let kind = match field(self.event_id)? {
            "EXPAND" => EventKind::Expand,
            "RESOLVE" => EventKind::Resolve,
            _ => return Ok(None),
        };
        let at = field(self.date_time)?
            .parse::<Timestamp>()
            .map_err(|_| EventFault::Time)?;
        let related = addresses(field(self.related)?);
        if related.is_empty() {
            return Err(EventFault::NoGroup);
        }
        let optional = |place: Option<usize>| place.map_or(Ok(""), field);
        let message = match field(self.message_id)?.trim() {
            "" => match optional(self.internal_id)? {
                "" => return Err(EventFault::NoMessage),
                number => format!("{}/{number}", optional(self.server)?).into(),
            },
            id => id.into(),
        };
        Ok(Some(Event {
            at,
            message,
            kind,
            recipients: addresses(field(self.recipients)?),
            related,
        }))
    }
}

/// Addresses of a list, folded; an X500 or encapsulated one stays as it is spelled but for case.
fn addresses(list: &str) -> Vec<Box<str>> {
    let parts = list.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| part.strip_prefix("SMTP:").unwrap_or(part).to_lowercase().into())
        .collect()
}
