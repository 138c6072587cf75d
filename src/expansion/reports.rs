//! Reports about copies through a group, and reports sent to one (`exchange-semantics.md` §3.7).
//!
//! | group reports to | reverse-path of copies | NOTIFY of copies |
//! |---|---|---|
//! | originator (default) | unchanged | as asked, without SUCCESS |
//! | owner | the first owner | FAILURE |
//! | nobody | null (or unchanged, by setting) | NEVER |
//!
//! A report that arrives at a group is dropped; a non-delivery report goes to the owner if the group reports
//! to him. Each nested group's own setting applies to its branch.

use crate::directory::{GroupSettings, Lookup, Ordinal, RecipientObject};
use crate::mail::{Mailbox, Notify, ReversePath};
use crate::policy::Rules;
use crate::policy::rules::{AutoReplies, SuppressedReports};
use crate::rolls::View;

/// To whom a group reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ReportsTo {
    /// The sender.
    Originator,
    /// The first owner that is a person.
    Owner(Owner),
    /// The owner, and there is none: the sender, so that no failure is lost.
    OwnerMissing,
    /// Nobody.
    Nobody,
}

/// An owner that can receive mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Owner {
    pub(super) ordinal: Option<Ordinal>,
    pub(super) mailbox: Mailbox,
}

/// To whom a group reports. Exchange does not allow originator and owner at once; if a source has both, the
/// owner wins, because `ReportToOriginatorEnabled` is on unless somebody turned it off.
pub(super) fn reports_to(object: &RecipientObject, view: &View) -> ReportsTo {
    let Some(group) = object.group.as_deref() else {
        return ReportsTo::Originator;
    };
    // Set-UnifiedGroup has no ReportTo… parameters.
    if object.kind.is_microsoft365_group() {
        return ReportsTo::Originator;
    }
    match (group.report_to_owner, group.report_to_originator) {
        (true, _) => owner(group, view).map_or(ReportsTo::OwnerMissing, ReportsTo::Owner),
        (false, true) => ReportsTo::Originator,
        (false, false) => ReportsTo::Nobody,
    }
}

fn owner(group: &GroupSettings, view: &View) -> Option<Owner> {
    group
        .managed_by
        .iter()
        .find_map(|reference| match view.directory.lookup_reference(reference.as_str()) {
            Lookup::One(ordinal) => view
                .object(ordinal)
                .filter(|object| !object.kind.is_group())
                .map(|object| Owner {
                    ordinal: Some(ordinal),
                    mailbox: object.primary.clone(),
                }),
            Lookup::Ambiguous(_) => None,
            Lookup::None => Mailbox::parse(reference.as_str().trim())
                .ok()
                .map(|mailbox| Owner { ordinal: None, mailbox }),
        })
}

/// True if members' automatic replies to copies through the group should not reach the sender
/// (`SendOofMessageToOriginatorEnabled` off). A Microsoft 365 group has no such setting.
pub(super) fn keeps_auto_replies(object: &RecipientObject, rules: &Rules) -> bool {
    let off = object.group.as_deref().is_some_and(|group| !group.send_oof);
    match rules.auto_replies {
        AutoReplies::AsGroupSays => off && !object.kind.is_microsoft365_group(),
        AutoReplies::Allow => false,
    }
}

/// The envelope of a branch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct State {
    pub(super) reverse_path: ReversePath,
    pub(super) notify: Option<Notify>,
    /// A group was expanded on the way.
    pub(super) expanded: bool,
    /// A group on the way hides its membership.
    pub(super) hidden: bool,
    /// A group above was approved and covers the groups nested in it.
    pub(super) approved_above: bool,
    /// A group on the way keeps members' automatic replies from the sender.
    pub(super) no_auto_replies: bool,
}

impl State {
    /// The envelope of copies through a group.
    pub(super) fn through(&self, object: &RecipientObject, reports_to: &ReportsTo, rules: &Rules) -> Self {
        let (reverse_path, notify) = match reports_to {
            ReportsTo::Originator | ReportsTo::OwnerMissing => {
                // RFC 3461 §5.2.7.3: the expansion itself is reported, the copies no longer ask for SUCCESS.
                (self.reverse_path.clone(), self.notify.map(Notify::without_success))
            }
            ReportsTo::Owner(owner) => (ReversePath::Mailbox(owner.mailbox.clone()), Some(Notify::FAILURE)),
            ReportsTo::Nobody => {
                let path = match rules.suppressed_reports {
                    SuppressedReports::Null => ReversePath::Null,
                    SuppressedReports::Unchanged => self.reverse_path.clone(),
                };
                (path, Some(Notify::NEVER))
            }
        };
        Self {
            reverse_path,
            notify,
            expanded: true,
            hidden: self.hidden || object.group.as_deref().is_some_and(|group| group.hidden_membership),
            approved_above: self.approved_above,
            no_auto_replies: self.no_auto_replies || keeps_auto_replies(object, rules),
        }
    }
}
