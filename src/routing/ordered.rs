//! Ordered rules: the first that fits decides, before place and domain are looked at.
//!
//! In: the rules of the settings, what is known of a message, rows of the directory that rules name.
//! Out: for each kind of recipient a next hop, a priority, and the rules that said so.
//! Never: a look at a recipient where no rule asks for one; a message looked at twice. What a rule asks of the message
//! is decided once for it, what it asks of recipients is a bit in a bitmap.

use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::next_hop::HopId;
use super::rule::Location;
use crate::directory::Directory;
use crate::directory::filter::plan::{self, PlanOptions};
use crate::directory::filter::{CompiledRule, EvaluationOptions, RuleFault};
use crate::directory::group::{DynamicRule, FilterLanguage, RuleCondition};
use crate::directory::kind::RecipientKind;
use crate::mail::{AddressKey, Domain, EnvelopeRecipient, Mailbox, Priority, ReversePath, TlsWish};
use crate::resolver::Sender;

/// Most rules: a kind of recipient is a bit for each.
pub const RULES_MAX: usize = 128;

/// Which side a sender is on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Proven to be one of us, or ourselves.
    Internal,
    /// Everybody else.
    External,
}

impl Side {
    /// Which side a sender is on.
    #[must_use]
    pub fn of(sender: &Sender) -> Self {
        if sender.is_internal() {
            Self::Internal
        } else {
            Self::External
        }
    }
}

/// A domain, or a domain with all its subdomains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainPattern {
    /// The domain.
    pub domain: Domain,
    /// Whether its subdomains are meant too.
    pub subdomains: bool,
}

impl DomainPattern {
    /// True if the domain fits; it may be spelled in any case.
    #[must_use]
    pub fn fits(&self, domain: &str) -> bool {
        let wanted = self.domain.as_str();
        let fits = |domain: &str| {
            let rest = domain.len().checked_sub(wanted.len());
            let tail = rest.and_then(|rest| domain.split_at_checked(rest));
            tail.is_some_and(|(before, tail)| {
                tail.eq_ignore_ascii_case(wanted) && (before.is_empty() || (self.subdomains && before.ends_with('.')))
            })
        };
        if domain.is_ascii() {
            return fits(domain);
        }
        Domain::parse(domain).is_ok_and(|domain| fits(domain.as_str()))
    }
}

/// Senders a rule names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SenderPattern {
    /// This address.
    Address(AddressKey),
    /// Any address of the domain.
    Domain(DomainPattern),
}

impl SenderPattern {
    fn fits(&self, sender: &Mailbox) -> bool {
        match self {
            Self::Address(key) => sender.key() == *key,
            Self::Domain(pattern) => pattern.fits(sender.domain()),
        }
    }
}

/// What a rule asks for; what it does not state fits always.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Conditions {
    /// Attributes of the recipient object, in the language of dynamic groups.
    pub recipient: Option<Arc<CompiledRule>>,
    /// Domains of the final address.
    pub domains: Vec<DomainPattern>,
    /// Kinds of recipient objects.
    pub kinds: Vec<RecipientKind>,
    /// Where the mailbox is; an address without object is external.
    pub locations: Vec<Location>,
    /// Groups that the message is addressed to, by any of their addresses.
    pub groups: Vec<Mailbox>,
    /// Which side the sender is on.
    pub sender: Option<Side>,
    /// The sender: his reverse-path.
    pub senders: Vec<SenderPattern>,
    /// Octets, at least.
    pub size_min: Option<u64>,
    /// Octets, at most.
    pub size_max: Option<u64>,
    /// Listeners it came in by.
    pub listeners: Vec<Arc<str>>,
}

/// One rule.
#[derive(Clone, PartialEq, Debug)]
pub struct OrderedRule<H> {
    /// Its name in the settings.
    pub name: Arc<str>,
    /// When it fits.
    pub when: Conditions,
    /// Where copies go then; none: the rule says nothing about it, and the next ones are asked.
    pub next_hop: Option<H>,
    /// How urgent they are then; none: the next ones are asked.
    pub priority: Option<Priority>,
}

/// What rules may ask of a message.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Which side its sender is on.
    pub side: Side,
    /// Its reverse-path.
    pub reverse_path: &'a ReversePath,
    /// Octets of its content; none: not known yet, and rules about the size do not fit.
    pub size_bytes: Option<u64>,
    /// Listener; none: not known, and rules about listeners do not fit.
    pub listener: Option<&'a str>,
    /// To whom it is addressed.
    pub recipients: &'a [EnvelopeRecipient],
    /// What its sender wants of TLS; no rule asks for it, labels do.
    pub tls: TlsWish,
}

/// A condition on recipient objects as rules of groups are written (OPATH).
pub fn compile(text: &str, options: &EvaluationOptions) -> Result<CompiledRule, RuleFault> {
    let condition = RuleCondition::Custom {
        language: FilterLanguage::Opath,
        text: text.into(),
    };
    let rule = DynamicRule {
        condition,
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    };
    CompiledRule::compile(&rule, options)
}

impl Conditions {
    /// True if the message may be one the rule is for; the rest is up to recipients. Without a message only rules that
    /// ask nothing about it fit.
    #[must_use]
    pub fn fit_message(&self, about: Option<&About<'_>>) -> bool {
        let asks = self.sender.is_some()
            || !self.senders.is_empty()
            || self.size_min.is_some()
            || self.size_max.is_some()
            || !self.listeners.is_empty();
        let Some(about) = about else { return !asks };
        let sender = about.reverse_path.mailbox();
        let senders = self.senders.is_empty()
            || sender.is_some_and(|sender| self.senders.iter().any(|pattern| pattern.fits(sender)));
        let size = match about.size_bytes {
            Some(size) => self.size_min.is_none_or(|min| size >= min) && self.size_max.is_none_or(|max| size <= max),
            None => self.size_min.is_none() && self.size_max.is_none(),
        };
        let listener = self.listeners.is_empty()
            || about
                .listener
                .is_some_and(|listener| self.listeners.iter().any(|known| **known == *listener));
        self.sender.is_none_or(|side| side == about.side) && senders && size && listener
    }

    fn fit_place(&self, location: Option<Location>, domain: &str) -> bool {
        let location = location.unwrap_or(Location::External);
        (self.locations.is_empty() || self.locations.contains(&location))
            && (self.domains.is_empty() || self.domains.iter().any(|pattern| pattern.fits(domain)))
    }

    /// The rows that the rule names in a generation.
    #[must_use]
    pub fn rows(&self, directory: &Directory, now: Timestamp) -> Rows {
        let of_kind = |kinds: &[RecipientKind]| -> RoaringBitmap {
            let rows = directory.rows().filter(|(_, row)| kinds.contains(&row.kind()));
            rows.map(|(ordinal, _)| ordinal.0).collect()
        };
        let matching = self
            .recipient
            .as_deref()
            .map(|rule| plan::evaluate(directory, rule, &PlanOptions::alone(now)));
        let kinds = (!self.kinds.is_empty()).then(|| of_kind(&self.kinds));
        let recipients = match (matching, kinds) {
            (Some(matching), Some(kinds)) => Some(matching & kinds),
            (matching, kinds) => matching.or(kinds),
        };
        let groups = (!self.groups.is_empty()).then(|| {
            let found = self
                .groups
                .iter()
                .filter_map(|group| directory.lookup(&group.key()).one());
            found.map(|ordinal| ordinal.0).collect()
        });
        Rows {
            recipients: recipients.map(Arc::new),
            groups: groups.map(Arc::new),
        }
    }

    /// True if [`Conditions::rows`] change with the time alone.
    #[must_use]
    pub fn depends_on_now(&self) -> bool {
        let mut depends = false;
        if let Some(rule) = &self.recipient {
            rule.node().each_test(&mut |test| depends |= test.depends_on_now());
        }
        depends
    }
}

/// Rows of the directory that a rule names; none: it does not ask.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rows {
    /// Recipient objects.
    pub recipients: Option<Arc<RoaringBitmap>>,
    /// Addressed groups.
    pub groups: Option<Arc<RoaringBitmap>>,
}

impl Rows {
    fn hold(&self, addressed: Option<u32>, recipient: Option<u32>) -> bool {
        let within = |rows: &Option<Arc<RoaringBitmap>>, row: Option<u32>| match (rows, row) {
            (None, _) => true,
            (Some(rows), Some(row)) => rows.contains(row),
            (Some(_), None) => false,
        };
        within(&self.groups, addressed) && within(&self.recipients, recipient)
    }
}

/// A kind of recipient: which of the rules that may decide about the message fit him by what he is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Class(u128);

/// The rules that may decide about one message.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LiveRules {
    rules: Vec<(Arc<OrderedRule<HopId>>, Rows)>,
    asks: bool,
}

/// What rules say of a recipient.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Ruling {
    /// Where he goes; none: place and domain decide.
    pub next_hop: Option<HopId>,
    /// How urgent his copy is.
    pub priority: Priority,
    /// Names of the rules that said so; none: no rule.
    pub rule: Option<Arc<str>>,
}

impl LiveRules {
    /// Those that fit a message; `rows` gives the rows of a rule by its place in the settings.
    pub fn of(
        rules: &[Arc<OrderedRule<HopId>>],
        about: Option<&About<'_>>,
        mut rows: impl FnMut(usize) -> Rows,
    ) -> Self {
        let fitting = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.when.fit_message(about));
        let rules: Vec<_> = fitting.map(|(place, rule)| (Arc::clone(rule), rows(place))).collect();
        let asks = rules
            .iter()
            .any(|(_, rows)| rows.recipients.is_some() || rows.groups.is_some());
        Self { rules, asks }
    }

    /// True if no rule may decide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The kind of a recipient, by the rows of the addressed object and of his own.
    #[must_use]
    pub fn class(&self, addressed: Option<u32>, recipient: Option<u32>) -> Class {
        if !self.asks {
            return Class(u128::MAX);
        }
        let fitting = self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, (_, rows))| rows.hold(addressed, recipient));
        Class(fitting.fold(0, |class, (place, _)| class | 1_u128 << place))
    }

    /// What is said of recipients of a kind at a place.
    #[must_use]
    pub fn ruling(&self, class: Class, location: Option<Location>, domain: &str) -> Ruling {
        let mut ruling = Ruling::default();
        let mut priority = None;
        let mut names: Vec<&Arc<str>> = Vec::new();
        for (place, (rule, _)) in self.rules.iter().enumerate() {
            let is_needed = (ruling.next_hop.is_none() && rule.next_hop.is_some())
                || (priority.is_none() && rule.priority.is_some());
            if !is_needed || class.0 >> place & 1 == 0 || !rule.when.fit_place(location, domain) {
                continue;
            }
            ruling.next_hop = ruling.next_hop.or(rule.next_hop);
            priority = priority.or(rule.priority);
            names.push(&rule.name);
        }
        ruling.priority = priority.unwrap_or_default();
        ruling.rule = match names.as_slice() {
            [] => None,
            [only] => Some(Arc::clone(only)),
            several => Some(
                several
                    .iter()
                    .map(|name| &***name)
                    .collect::<Vec<_>>()
                    .join(", ")
                    .into(),
            ),
        };
        ruling
    }
}

#[cfg(test)]
#[path = "ordered_tests.rs"]
mod tests;
