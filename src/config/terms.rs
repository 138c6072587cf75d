//! What rules of routing name: filters, kinds of recipients, senders.

use std::fmt;
use std::sync::Arc;

use super::word::DomainPattern;
use crate::connectors::document::read::{Faults, Read, choice, expected, text_by};
use crate::connectors::document::{Node, NodeValue, nearest};
use crate::directory::filter::{EvaluationOptions, RuleFault};
use crate::directory::kind::RecipientKind;
use crate::mail::{Mailbox, Priority};
use crate::routing::ordered;

/// A condition on recipient objects, in the language of dynamic groups' filters. It was compiled once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterText(pub Arc<str>);

impl Read for FilterText {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let NodeValue::Text(text) = &node.value else {
            faults.push(node.span.clone(), path, expected("a filter", node), None);
            return None;
        };
        // With every extension: whether a setting switches it on is not known here, and wiring asks again.
        let options = EvaluationOptions {
            recursive_membership: true,
            ..EvaluationOptions::default()
        };
        let Err(fault) = ordered::compile(text, &options) else {
            return Some(Self((&**text).into()));
        };
        let mut span = node.span.clone();
        if let RuleFault::Filter(fault) = &fault
            && fault.place.line == 1
        {
            // Behind the quote; a text with escapes or over several lines points a little beside.
            let start = span.start + 1 + fault.place.span.start;
            let end = (span.start + 1 + fault.place.span.end).max(start + 1);
            span = start.min(span.end)..end.min(span.end);
        }
        let message = match &fault {
            RuleFault::Filter(fault) => fault.fault.to_string(),
            other => other.to_string(),
        };
        faults.push(span, path, message, None);
        None
    }
}

/// A kind of recipient object by its Exchange name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindName(pub RecipientKind);

impl Read for KindName {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "a value of RecipientTypeDetails such as \"MailContact\" or \"RemoteUserMailbox\"";
        text_by(node, path, faults, what, |text| {
            RecipientKind::from_name(text).map(Self).ok_or_else(|| {
                let names = RecipientKind::ALL.iter().map(|kind| kind.recipient_type_details());
                nearest(text, names).map(str::to_owned)
            })
        })
    }
}

/// A sender by address, or any sender of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderPattern {
    /// This address.
    Address(Mailbox),
    /// Any address of the domain.
    Domain(DomainPattern),
}

impl fmt::Display for SenderPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(mailbox) => write!(out, "{mailbox}"),
            Self::Domain(pattern) => write!(out, "{pattern}"),
        }
    }
}

impl Read for SenderPattern {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "an address, a domain such as \"contoso.example\", or \"*.contoso.example\"";
        text_by(node, path, faults, what, |text| {
            let parsed = |text: &str| match text.contains('@') {
                true => Mailbox::parse(text).ok().map(Self::Address),
                false => DomainPattern::parse(text).map(Self::Domain),
            };
            parsed(text).ok_or_else(|| {
                let bare = text.trim().trim_start_matches(['<', '@']).trim_end_matches(['>', '.']);
                parsed(bare).map(|_| bare.to_owned())
            })
        })
    }
}

impl Read for Priority {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let words = [Self::High, Self::Normal, Self::Low].map(|priority| (priority.word(), priority));
        choice(node, path, faults, &words)
    }
}
