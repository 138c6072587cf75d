//! What DNS says of a stranger: looked up beside the session, asked for when the first recipient is named.
//!
//! In: an address, then the name in EHLO. Out: a refusal, what is worth a note, or nothing. Never: a wait over the time
//! limit; a refusal because DNS did not answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::strangers::{AddressList, HelloCheck, ListAction, ReverseCheck, StrangerSettings};
use crate::delivery::dns::{Dns, DnsFault, Dnssec};
use crate::limits::{LIST_TEXT_CHARACTERS_MAX, REVERSE_NAMES_MAX};
use crate::mail::Reply;
use crate::track::Reason;

/// What all look-ups of one listener have in common. The resolver keeps answers as long as DNS allows.
pub(super) struct Screen {
    settings: StrangerSettings,
    dns: Dns,
}

impl Screen {
    /// Must be called within a tokio runtime.
    pub(super) fn new(settings: &StrangerSettings) -> Arc<Self> {
        Arc::new(Self {
            dns: Dns::new(&settings.name_servers, settings.dns_timeout, &Dnssec::Off),
            settings: settings.clone(),
        })
    }
}

/// The look-ups about one client. Dropping it ends them.
pub(super) struct Screening {
    screen: Arc<Screen>,
    client: IpAddr,
    pending: JoinSet<Option<Finding>>,
    found: Vec<Finding>,
}

/// What was found against a client, in the order in which it is said.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Finding {
    /// The list of this number names it, and says why.
    Listed(usize, String),
    NoReverseName,
    Unconfirmed,
    Unresolvable(Arc<str>),
}

impl Screening {
    /// Begins to look up what is to be known of an address.
    pub(super) fn of(screen: &Arc<Screen>, client: IpAddr) -> Self {
        let mut pending = JoinSet::new();
        for number in 0..screen.settings.lists.len() {
            let screen = Arc::clone(screen);
            pending.spawn(async move { screen.in_time(screen.listed(number, client)).await });
        }
        if screen.settings.reverse_dns != ReverseCheck::Off {
            let screen = Arc::clone(screen);
            pending.spawn(async move { screen.in_time(screen.reverse(client)).await });
        }
        Self {
            screen: Arc::clone(screen),
            client,
            pending,
            found: Vec::new(),
        }
    }

    /// Begins to look up the name in EHLO; one that was given before counts no more.
    pub(super) fn hello(&mut self, name: &Arc<str>) {
        self.found
            .retain(|finding| !matches!(finding, Finding::Unresolvable(_)));
        if self.screen.settings.helo != HelloCheck::Resolves || name.starts_with('[') {
            return;
        }
        let (screen, name) = (Arc::clone(&self.screen), Arc::clone(name));
        self.pending
            .spawn(async move { screen.in_time(screen.unresolvable(name)).await });
    }

    /// True if nothing is outstanding.
    pub(super) fn is_done(&mut self) -> bool {
        while let Some(found) = self.pending.try_join_next() {
            self.take(found);
        }
        self.pending.is_empty()
    }

    /// Waits for what is outstanding: each look-up ends within the time limit.
    pub(super) async fn done(&mut self) {
        while let Some(found) = self.pending.join_next().await {
            self.take(found);
        }
    }

    fn take(&mut self, found: Result<Option<Finding>, tokio::task::JoinError>) {
        match found {
            Ok(found) => self.found.extend(found),
            Err(error) => tracing::error!(%error, "a look-up broke"),
        }
    }

    /// What recipients are refused with, if they are; `helo` is the name in EHLO.
    pub(super) fn refusal(&self, helo: Option<&str>) -> Option<(Reply, Reason)> {
        let settings = &self.screen.settings;
        let unqualified = helo.filter(|name| !settings.helo.accepts_form_of(name)).map(|_| {
            let text = "your EHLO must give a fully qualified domain name or an address literal";
            (Reply::new(550, (5, 7, 1), text), Reason::HelloUnqualified)
        });
        let current = |finding: &&Finding| match finding {
            Finding::Unresolvable(name) => helo == Some(&**name),
            Finding::Listed(..) | Finding::NoReverseName | Finding::Unconfirmed => true,
        };
        let mut found: Vec<&Finding> = self.found.iter().filter(current).collect();
        found.sort();
        let found = found.into_iter().filter_map(|found| self.told(found));
        // What is permanent is said first: the client shall not come again for nothing.
        unqualified
            .into_iter()
            .chain(found)
            .min_by_key(|(reply, _)| std::cmp::Reverse(reply.code / 100))
    }

    /// What the trace shall tell of a message that was taken all the same.
    pub(super) fn notes(&self) -> Vec<(Reason, String)> {
        let note = |finding: &Finding| match finding {
            Finding::Listed(number, text) => {
                let list = &self.screen.settings.lists[*number];
                (list.action == ListAction::Track).then(|| (Reason::ClientListed, naming(&list.zone, text)))
            }
            Finding::NoReverseName | Finding::Unconfirmed | Finding::Unresolvable(_) => None,
        };
        self.found.iter().filter_map(note).collect()
    }

    fn told(&self, finding: &Finding) -> Option<(Reply, Reason)> {
        let client = self.client;
        Some(match finding {
            Finding::Listed(number, text) => {
                let list = &self.screen.settings.lists[*number];
                let text = format!("client [{client}] is listed by {}", naming(&list.zone, text));
                let reply = match list.action {
                    ListAction::Refuse => Reply::new(554, (5, 7, 1), text),
                    ListAction::Defer => Reply::new(450, (4, 7, 1), text),
                    ListAction::Track => return None,
                };
                (reply, Reason::ClientListed)
            }
            // RFC 7372 §3.3: X.7.25, reverse DNS validation failed.
            Finding::NoReverseName => {
                let text = format!("DNS has no name for your address [{client}]");
                (Reply::new(550, (5, 7, 25), text), Reason::ReverseNameMissing)
            }
            Finding::Unconfirmed => {
                let text = format!("no name that DNS has for your address [{client}] leads back to it");
                (Reply::new(550, (5, 7, 25), text), Reason::ReverseNameUnconfirmed)
            }
            Finding::Unresolvable(_) => {
                let text = "the name in your EHLO does not exist in DNS";
                (Reply::new(550, (5, 7, 1), text), Reason::HelloUnresolvable)
            }
        })
    }
}

/// `zone: text`, the text of the list cut to what fits a reply.
fn naming(zone: &str, text: &str) -> String {
    if text.is_empty() {
        zone.to_owned()
    } else {
        format!("{zone}: {text}")
    }
}

/// Printable ASCII of a text that somebody else wrote.
fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    kept.take(LIST_TEXT_CHARACTERS_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

impl Screen {
    /// No finding if it takes too long.
    async fn in_time(&self, finding: impl Future<Output = Option<Finding>>) -> Option<Finding> {
        let limit: Duration = self.settings.dns_time_limit;
        let Ok(found) = tokio::time::timeout(limit, finding).await else {
            tracing::info!("a look-up about a client took too long and counts as passed");
            return None;
        };
        found
    }

    async fn listed(&self, number: usize, client: IpAddr) -> Option<Finding> {
        let list: &AddressList = &self.settings.lists[number];
        let name = list.name_of(client);
        match self.dns.ipv4(&name).await {
            Ok(answers) if list.lists(&answers) => {
                let texts = self.dns.texts(&name).await.unwrap_or_default();
                Some(Finding::Listed(number, plain(&texts.concat())))
            }
            Ok(answers) => {
                tracing::warn!(zone = %list.zone, %client, ?answers, "a list answers and does not list");
                None
            }
            Err(fault) => open(&list.zone, fault, None),
        }
    }

    async fn reverse(&self, client: IpAddr) -> Option<Finding> {
        let names = match self.dns.names(client).await {
            Ok(names) => names,
            Err(fault) => return open("reverse DNS", fault, Some(Finding::NoReverseName)),
        };
        if self.settings.reverse_dns == ReverseCheck::Present {
            return None;
        }
        for name in names.iter().take(REVERSE_NAMES_MAX) {
            match self.dns.addresses(name).await {
                Ok(addresses) if addresses.value.iter().any(|address| address.to_canonical() == client) => return None,
                Ok(_) | Err(DnsFault::NoSuchName | DnsFault::NoSuchRecord) => {}
                // This name may be the one.
                Err(fault @ (DnsFault::Empty | DnsFault::Temporary(_))) => return open(name, fault, None),
            }
        }
        Some(Finding::Unconfirmed)
    }

    /// RFC 5321 §2.3.5: a name in EHLO resolves, to an address or to a mail exchanger.
    async fn unresolvable(&self, name: Arc<str>) -> Option<Finding> {
        match self.dns.addresses(&name).await {
            Ok(_) => None,
            Err(DnsFault::NoSuchRecord) => match self.dns.exchangers(&name).await {
                Ok(_) => None,
                Err(fault) => open(&name.clone(), fault, Some(Finding::Unresolvable(name))),
            },
            Err(fault) => open(&name.clone(), fault, Some(Finding::Unresolvable(name))),
        }
    }
}

/// A finding only on a name server's own word; trouble lets the client pass.
fn open(what: &str, fault: DnsFault, absent: Option<Finding>) -> Option<Finding> {
    match fault {
        DnsFault::NoSuchName | DnsFault::NoSuchRecord => absent,
        DnsFault::Empty | DnsFault::Temporary(_) => {
            tracing::info!(%what, ?fault, "a look-up about a client failed and counts as passed");
            None
        }
    }
}
