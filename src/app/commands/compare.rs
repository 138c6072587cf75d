//! `compare` and `group cutover`: a log beside our lists, then group by group over to us. Both block; call them off
//! the reactor threads.

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::groups::Groups;
use super::orders::{Orders, refused};
use crate::admin::answer::{Compared, ComparedGroup, ComparedPerson, CutOver};
use crate::admin::command::{CompareQuestion, ComparedLog, CutoverOrder, CutoverSide, DifferenceIntent};
use crate::admin::service::{Refusal, RefusalKind};
use crate::app::comparison::{Comparisons, GroupResult};
use crate::app::service::Service;
use crate::connectors::sync::DirectoryKeeper;
use crate::connectors::tracking::{self, TrackingFault};
use crate::directory::{ObjectId, Ordinal};
use crate::policy::rules::DisabledAccounts;
use crate::rolls::compare::{
    AttributeChange, Cause, CompareOptions, GroupComparison, LeftOut, ListChange, Pasts, PersonDiffers, compare,
};
use crate::rolls::hold::Decision;
use crate::rolls::local::{Cutover, CutoverState};
use crate::rolls::{Difference, EntryCause};
use crate::store::life::HistoryQuery;

impl Orders<'_> {
    /// Reads the log, compares, keeps what came of each group for `group cutover`.
    pub(super) fn compare(&self, question: &CompareQuestion) -> Result<Compared, Refusal> {
        compared(self.service, self.groups, question)
    }

    /// Switches one group, unless its last comparison has a difference without a cause.
    pub(super) fn cut_over(&self, order: &CutoverOrder) -> Result<CutOver, Refusal> {
        let (service, groups) = (self.service, self.groups);
        let (ordinal, object) = groups.group(&order.group)?;
        let known: Option<GroupResult> = read(service)?.of(&object.id).copied();
        let unexplained = known.map_or(0, |result| result.unexplained);
        let state = match order.to {
            CutoverSide::Here => CutoverState::Here,
            CutoverSide::Before => CutoverState::Pending,
        };
        let stands_in_the_way = state == CutoverState::Here && order.differences == DifferenceIntent::Respect;
        if let Some(result) = known.filter(|result| stands_in_the_way && result.unexplained > 0) {
            let text = format!(
                "{} differs without a cause for {} in the comparison of {}: look at it with `muster compare`, or give \
                 --accept-difference and a --reason",
                object.primary,
                if unexplained == 1 {
                    "1 person".to_owned()
                } else {
                    format!("{unexplained} people")
                },
                result.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            );
            return Err(Refusal::new(RefusalKind::Guard, text));
        }
        let author = self.author(&order.signed, Some(object))?;
        let changed = service.keeper.local(&object.id).cutover() != state;
        if changed {
            let cutover = Cutover {
                state,
                decision: Decision {
                    by: author.by.clone(),
                    reason: author.reason.clone(),
                    at: groups.now,
                },
                accepted_difference: unexplained > 0 && order.differences == DifferenceIntent::Accept,
            };
            let switched = service.keeper.switch(ordinal, cutover, &author, groups.now);
            switched.map_err(|fault| refused(&fault))?;
        }
        let side_by_side = service
            .settings
            .load()
            .routing
            .side_by_side
            .as_ref()
            .map(ToString::to_string);
        Ok(CutOver {
            group: object.primary.to_string(),
            expanded: match order.to {
                CutoverSide::Here => "here",
                CutoverSide::Before => "before",
            }
            .to_owned(),
            changed,
            by: author.by.to_string(),
            side_by_side,
            compared_at: known.map(|result| result.at),
            unexplained,
        })
    }
}

fn compared(service: &Service, groups: &Groups<'_>, question: &CompareQuestion) -> Result<Compared, Refusal> {
    let ComparedLog::ExchangeLog = question.with;
    let log = tracking::read(&question.path, question.since).map_err(|fault| unread(&fault))?;
    let left_out = LeftOut {
        disabled: match groups.rules.disabled_accounts {
            DisabledAccounts::Deliver => RoaringBitmap::new(),
            DisabledAccounts::Drop => disabled(groups),
        },
        suspects: groups.view.suppressed.objects.clone(),
    };
    let options = CompareOptions {
        evaluation: groups.options.clone(),
        left_out,
        now: groups.now,
    };
    let pasts = Kept(&service.keeper);
    let results = compare(&log.observed, groups.view, &pasts, &options);
    keep(service, &results, groups.now)?;
    let cut_over = |id: Option<&ObjectId>| {
        let ordinal = id.and_then(|id| groups.view.directory.ordinal_of(id));
        ordinal.is_some_and(|ordinal| groups.view.is_switched(ordinal))
    };
    Ok(Compared {
        since: question.since,
        files: log.files as u64,
        lines: log.lines,
        faults: log.faults.iter().map(ToString::to_string).collect(),
        faults_count: log.faults_count,
        groups: results
            .into_iter()
            .map(|result| {
                let cut_over = cut_over(result.id.as_ref());
                group(result, cut_over)
            })
            .collect(),
    })
}

fn unread(fault: &TrackingFault) -> Refusal {
    Refusal::new(RefusalKind::Usage, fault.to_string())
}

/// Members that expansion leaves out because their accounts are disabled.
fn disabled(groups: &Groups<'_>) -> RoaringBitmap {
    let objects = groups.view.directory.recipients();
    objects
        .filter(|(_, object)| object.is_disabled_account())
        .map(|(ordinal, _)| ordinal.0)
        .collect()
}

fn keep(service: &Service, results: &[GroupComparison], now: Timestamp) -> Result<(), Refusal> {
    let folder = &service.settings.load().data_dir;
    let mut kept = read(service)?;
    kept.take(results, now);
    let fault = |fault| Refusal::new(RefusalKind::Busy, format!("the comparison cannot be kept: {fault}"));
    kept.write(folder).map_err(fault)
}

fn read(service: &Service) -> Result<Comparisons, Refusal> {
    let folder = &service.settings.load().data_dir;
    let fault = |fault| {
        Refusal::new(
            RefusalKind::Busy,
            format!("the last comparison cannot be read: {fault}"),
        )
    };
    Comparisons::read(folder).map_err(fault)
}

/// What the keeper remembers. A store that cannot be read remembers nothing: the differences are unexplained then,
/// never explained by guess.
struct Kept<'a>(&'a DirectoryKeeper);

impl Pasts for Kept<'_> {
    fn differences(&self, group: Ordinal) -> Vec<Difference> {
        self.0.history(group, HistoryQuery::default()).unwrap_or_else(|fault| {
            tracing::warn!(group = group.0, %fault, "the history of a list cannot be read");
            Vec::new()
        })
    }

    fn attribute_changes(&self, object: Ordinal) -> Vec<AttributeChange> {
        let changes = self.0.attribute_changes(object).unwrap_or_else(|fault| {
            tracing::warn!(object = object.0, %fault, "the changes of an object cannot be read");
            Vec::new()
        });
        let change = |change: crate::store::life::AttributeChange| AttributeChange {
            attribute: change.attribute,
            at: change.at,
            before: change.before,
            after: change.after,
            source: change.source,
        };
        changes.into_iter().map(change).collect()
    }
}

fn group(result: GroupComparison, cut_over: bool) -> ComparedGroup {
    let people = |side: &[PersonDiffers]| side.iter().map(|each| person(each, &result.group)).collect();
    ComparedGroup {
        known: result.id.is_some(),
        agrees: result.agrees(),
        cut_over,
        messages: result.messages,
        same: result.same,
        by_later_list: result.by_later_list,
        only_exchange: people(&result.only_other),
        only_muster: people(&result.only_here),
        unexplained: result.unexplained(),
        group: result.group,
    }
}

/// One person with the cause in stable words; what the list of the group itself says needs no `through`.
fn person(differs: &PersonDiffers, group: &str) -> ComparedPerson {
    let plain = ComparedPerson {
        address: differs.address.clone(),
        messages: differs.messages,
        last: differs.last,
        explained: crate::rolls::compare::is_explained(&differs.cause),
        ..ComparedPerson::default()
    };
    let told = |cause: &str, text: &str| ComparedPerson {
        cause: cause.to_owned(),
        text: Some(text.to_owned()),
        ..plain.clone()
    };
    match &differs.cause {
        Cause::ListChanged {
            group: through,
            at,
            change,
            why,
        } => {
            let word = match change {
                ListChange::Joined => "joined",
                ListChange::Left => "left",
            };
            ComparedPerson {
                at: Some(*at),
                through: (through != group).then(|| through.clone()),
                ..list_changed(told(word, &format!("{word} the list")), why.as_ref())
            }
        }
        Cause::ValueChanged {
            attribute,
            before,
            after,
            at,
            source,
        } => ComparedPerson {
            attribute: Some(attribute.clone()),
            before: before.clone(),
            after: after.clone(),
            at: Some(*at),
            source: Some(source.clone()),
            ..told("value-changed", "a value changed")
        },
        Cause::Spelling {
            attribute,
            stored,
            wanted,
            difference,
        } => ComparedPerson {
            attribute: Some(attribute.clone()),
            before: Some(stored.clone()),
            after: Some(wanted.clone()),
            ..told("spelling", difference)
        },
        Cause::NotInDirectory => told("not-in-directory", "nobody here has this address"),
        Cause::Deleted => told("deleted", "deleted"),
        Cause::Disabled => told(
            "disabled",
            "the account is disabled, and the settings leave such members out",
        ),
        Cause::Suspect => told(
            "suspect",
            "suppressed: the next hop refused the address again and again",
        ),
        Cause::NotExpanded { group } => ComparedPerson {
            through: Some(group.clone()),
            ..told("not-expanded", "Exchange did not expand a nested group")
        },
        Cause::Unexplained { history: true } => told("unexplained", "unexplained"),
        Cause::Unexplained { history: false } => told("unexplained", "unexplained: the list of that time is not kept"),
    }
}

fn list_changed(plain: ComparedPerson, why: Option<&EntryCause>) -> ComparedPerson {
    match why {
        Some(EntryCause::Attribute {
            attribute,
            before,
            after,
            source,
        }) => ComparedPerson {
            attribute: Some(attribute.name().to_owned()),
            before: before.as_deref().map(str::to_owned),
            after: after.as_deref().map(str::to_owned),
            source: Some(source.to_string()),
            ..plain
        },
        Some(other) => ComparedPerson {
            text: plain.text.map(|text| format!("{text}, {other},")),
            ..plain
        },
        None => plain,
    }
}
