//! `[[filters]]`: keys, what holds without them, and what cannot work.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_spanned::Spanned;

use super::check::{or, stated};
use super::cross::{Checks, numbered, value};
use super::word::{Name, Names};
use crate::connectors::document::read::{Faults, Read, Size, choice, keys, readable, text_by};
use crate::connectors::document::{Node, NodeValue};

/// Time for one message at one filter.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Largest message that a filter is asked about: it is in memory for as long.
const SIZE_MAX: u64 = 20 << 20;

keys! {
    /// `[[filters]]`
    Filter {
        /// Its name in the log. Required.
        required name: Name,
        /// `milter`: Sendmail's milter protocol, as OpenDKIM and rspamd's proxy speak it. `rspamd`: rspamd's own
        /// protocol over HTTP. Required.
        required kind: FilterKindWord,
        /// Where it listens: `"127.0.0.1:11332"`, or for a milter a socket, `"unix:/run/opendkim/opendkim.sock"`.
        /// Required. Trap: it sees every message; over a network nothing protects it.
        required address: FilterPlace,
        /// Listeners whose mail it is asked about: one name or a list. Default: all. Trap: reports of our own, and what
        /// moderators release, are not shown to filters.
        optional listeners: Names,
        /// Time for one message, after which `on_failure` decides. Default: 30s. Trap: clients wait as long for the
        /// reply to their final dot.
        optional time_limit: Duration,
        /// Largest message that it is asked about; larger ones go on unfiltered. Unit: octets. Default: 20M.
        /// Trap: a message is in memory while it is filtered.
        optional size_max: Size,
        /// What becomes of mail if it gives no answer: `tempfail` (451, the client tries again), `accept`, or
        /// `quarantine` (held for `policy.quarantine_moderators`). Default: `tempfail`.
        /// Trap: with `accept` nothing is filtered while it is down.
        optional on_failure: OnFailureWord,
    }
}

readable! { Filter }

/// Which protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKindWord {
    /// The milter protocol.
    Milter,
    /// rspamd over HTTP.
    Rspamd,
}

impl Read for FilterKindWord {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        choice(
            node,
            path,
            faults,
            &[("milter", Self::Milter), ("rspamd", Self::Rspamd)],
        )
    }
}

/// What follows without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailureWord {
    /// 451.
    Tempfail,
    /// The message goes on.
    Accept,
    /// It is held.
    Quarantine,
}

impl Read for OnFailureWord {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let words = [
            ("tempfail", Self::Tempfail),
            ("accept", Self::Accept),
            ("quarantine", Self::Quarantine),
        ];
        choice(node, path, faults, &words)
    }
}

/// Host and port, or a socket of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterPlace {
    /// Host and port.
    Tcp(Arc<str>),
    /// Path of a socket.
    Unix(PathBuf),
}

impl Read for FilterPlace {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        if let NodeValue::Text(text) = &node.value
            && let Some(socket) = text.strip_prefix("unix:").filter(|socket| socket.starts_with('/'))
        {
            return Some(Self::Unix(socket.into()));
        }
        let what = "a host with port such as \"127.0.0.1:11332\", or a socket such as \"unix:/run/filter.sock\"";
        text_by(node, path, faults, what, |text| {
            let parsed = |text: &str| {
                let (host, port) = text.rsplit_once(':')?;
                let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
                (!host.is_empty() && !host.contains(['/', ' '])).then(|| Self::Tcp(format!("{host}:{port}").into()))
            };
            parsed(text).ok_or_else(|| {
                let bare = text.trim().trim_start_matches("http://").trim_start_matches("inet:");
                parsed(bare.trim_end_matches('/')).map(|_| bare.trim_end_matches('/').to_owned())
            })
        })
    }
}

/// `[[filters]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSettings {
    /// Unique.
    pub name: Name,
    /// Protocol.
    pub kind: FilterKindWord,
    /// Where.
    pub address: FilterPlace,
    /// Names of listeners; empty: all.
    pub listeners: Vec<Name>,
    /// Time for one message.
    pub time_limit: Duration,
    /// Octets.
    pub size_max: u64,
    /// What follows without an answer.
    pub on_failure: OnFailureWord,
}

/// What a table says, with defaults.
pub(super) fn filter(filter: &Filter) -> Option<FilterSettings> {
    Some(FilterSettings {
        name: stated(&filter.name)?,
        kind: stated(&filter.kind)?,
        address: stated(&filter.address)?,
        listeners: super::signing::names(&filter.listeners),
        time_limit: or(&filter.time_limit, TIME_LIMIT),
        size_max: or(&filter.size_max, Size(SIZE_MAX)).0,
        on_failure: or(&filter.on_failure, OnFailureWord::Tempfail),
    })
}

impl Checks<'_> {
    pub(super) fn filters(&mut self) {
        let file = self.file;
        let listeners: Vec<&str> = numbered(&file.listeners)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        let mut names: HashMap<&Name, usize> = HashMap::new();
        for (index, each) in numbered(&file.filters) {
            let key = format!("filters[{index}]");
            if let Some(name) = &each.name
                && let Some(other) = names.insert(name.get_ref(), index)
            {
                let message = format!("the name \"{}\" is taken by filters[{other}]", name.get_ref());
                self.error(name.span(), format!("{key}.name"), message);
            }
            for name in value(&each.listeners).iter().flat_map(|names| &names.0) {
                self.known_name(name, &listeners, format!("{key}.listeners"), "listener");
            }
            if let (Some(FilterKindWord::Rspamd), Some(address)) = (value(&each.kind), &each.address)
                && matches!(address.get_ref(), FilterPlace::Unix(_))
            {
                let message = "rspamd is asked over TCP: name its worker's host and port";
                self.error(Spanned::span(address), format!("{key}.address"), message);
            }
            self.positive(&each.time_limit, format!("{key}.time_limit"));
        }
    }
}
