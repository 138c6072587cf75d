//! Answers about lists over a small organisation, its past and its pins told by hand.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::groups::Groups;
use super::kept::{Kept, Reach};
use crate::admin::answer::GroupConverted;
use crate::admin::command::{ConvertInto, ConvertOrder, RuleQuestion, Signed, WhyQuestion};
use crate::admin::service::{Refusal, RefusalKind};
use crate::categorizer::NextHops;
use crate::directory::attribute::Attribute;
use crate::directory::filter::EvaluationOptions;
use crate::directory::testing::{directory, dynamic_group, group, person};
use crate::directory::{Directory, ObjectId, Ordinal, RecipientObject, SourceId};
use crate::expansion::{HopId, Place, Router};
use crate::mail::Mailbox;
use crate::policy::testing::rules;
use crate::rolls::history::{Details, Difference, Direction, EntryCause, PinAction};
use crate::rolls::hold::Hold;
use crate::rolls::local::LocalDecisions;
use crate::rolls::pin::{Pin, Pins};
use crate::rolls::{Cause, Roll, RollTable, View};
use crate::store::life::AttributeChange;
use crate::track::Reason;

struct OneHop;

impl Router for OneHop {
    fn next_hop(&self, _: Option<Place>, _: &Mailbox) -> Result<HopId, Reason> {
        Ok(HopId(0))
    }
}

impl NextHops for OneHop {
    fn name(&self, _: HopId) -> String {
        "onprem".to_owned()
    }

    fn expiry(&self, _: HopId) -> Duration {
        Duration::from_secs(1)
    }
}

/// What a story says is kept.
#[derive(Default)]
struct Told {
    pins: HashMap<Ordinal, Pins>,
    /// Newest first.
    differences: Vec<Difference>,
    changes: Vec<AttributeChange>,
}

impl Kept for Told {
    fn pins(&self, group: Ordinal) -> Pins {
        self.pins.get(&group).cloned().unwrap_or_default()
    }

    fn hold(&self, _: Ordinal) -> Option<Hold> {
        None
    }

    fn local(&self, _: &ObjectId) -> LocalDecisions {
        LocalDecisions::default()
    }

    fn as_source_says(&self, _: Ordinal) -> Option<RecipientObject> {
        None
    }

    fn holds(&self) -> Vec<Hold> {
        Vec::new()
    }

    fn differences(&self, group: Ordinal, reach: Reach) -> Result<Vec<Difference>, Refusal> {
        let own = self
            .differences
            .iter()
            .filter(|difference| difference.group == group)
            .cloned();
        Ok(match reach {
            Reach::Versions(count) => own.take(count).collect(),
            Reach::Time(_) | Reach::All => own.collect(),
        })
    }

    fn changes_of(&self, _: Ordinal) -> Result<Vec<AttributeChange>, Refusal> {
        Ok(self.changes.clone())
    }

    fn gone(&self, _: Ordinal) -> Option<(String, String)> {
        Some(("gone@contoso.example".to_owned(), "Gone".to_owned()))
    }
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour * 3_600).expect("a test time")
}

fn address(name: &str) -> String {
    format!("{name}@contoso.example")
}

fn ordinal(directory: &Directory, name: &str) -> Ordinal {
    let found = directory.lookup_reference(&address(name)).one();
    found.unwrap_or_else(|| panic!("{name} is in the directory"))
}

/// Seven of human resources in a list with a consultant; m.roth works there and is not in it.
fn organisation() -> Directory {
    let hr = |name: &str| person(&address(name)).department("Human Resources");
    directory([
        hr("a"),
        hr("b"),
        hr("c"),
        hr("d"),
        hr("e"),
        hr("f"),
        hr("g"),
        hr("roth"),
        person(&address("consultant")).department("Consulting"),
        person(&address("eva")).department("Sales"),
        group(&address("hr"))
            .members(&[
                "a@contoso.example",
                "b@contoso.example",
                "c@contoso.example",
                "d@contoso.example",
                "e@contoso.example",
                "f@contoso.example",
                "g@contoso.example",
                "consultant@contoso.example",
                "nobody-here",
            ])
            .owners(&["eva@contoso.example"]),
        dynamic_group(&address("sales"), "Department -eq 'Sales'"),
    ])
}

fn view(directory: Directory) -> View {
    let groups: Vec<Ordinal> = directory.groups().map(|(ordinal, _)| ordinal).collect();
    let rolls = groups.into_iter().map(|group| {
        let built = crate::rolls::build(&directory, group, &EvaluationOptions::default(), at(0)).expect("a list");
        crate::rolls::build::succeed(group, None, built, 1, at(0), Cause::Created)
    });
    let rolls: Vec<Roll> = rolls.collect();
    View::new(directory, RollTable::default().with_rolls(rolls))
}

fn ask<T>(view: &View, told: &Told, question: impl FnOnce(&Groups<'_>) -> T) -> T {
    let (rules, options) = (rules(), EvaluationOptions::default());
    question(&Groups {
        view,
        rules: &rules,
        hops: &OneHop,
        options: &options,
        kept: told,
        now: at(100),
    })
}

fn order(into: ConvertInto, exclude: &[&str]) -> ConvertOrder {
    ConvertOrder {
        group: address("hr"),
        into,
        exclude: exclude.iter().map(|name| address(name)).collect(),
        accept_difference: false,
        signed: Signed::default(),
    }
}

fn rule(filter: &str) -> ConvertInto {
    ConvertInto::Rule(RuleQuestion {
        filter: Some(filter.to_owned()),
        ..RuleQuestion::default()
    })
}

fn converted(order: &ConvertOrder) -> Result<GroupConverted, Refusal> {
    let view = view(organisation());
    ask(&view, &Told::default(), |groups| {
        groups.conversion(order, None, None).map(|conversion| conversion.answer)
    })
}

#[test]
fn a_conversion_says_who_joins_and_who_leaves() {
    let department = "Department -eq 'Human Resources'";
    // what, kept out, joins, leaves
    for (into, exclude, joins, leaves) in [
        (rule(department), &[][..], &["roth"][..], &["consultant"][..]),
        (rule(department), &["roth"], &[], &["consultant"]),
        (
            rule(&format!("{department} -or Department -eq 'Consulting'")),
            &["roth"],
            &[],
            &[],
        ),
        (rule("(department=Human Resources)"), &[], &["roth"], &["consultant"]),
        (ConvertInto::Proposal, &["roth"], &[], &[]),
        (ConvertInto::Proposal, &[], &["roth"], &[]),
        (ConvertInto::Static(None), &[], &[], &[]),
    ] {
        let answer = converted(&order(into.clone(), exclude)).expect("an answer");
        let names = |names: &[&str]| names.iter().map(|name| address(name)).collect::<Vec<_>>();
        assert_eq!(
            (answer.joining, answer.leaving),
            (names(joins), names(leaves)),
            "{into:?} without {exclude:?}"
        );
        assert_eq!((answer.joins, answer.leaves), (joins.len() as u64, leaves.len() as u64));
        assert_eq!(answer.before, 8);
    }
}

#[test]
fn an_order_that_makes_no_sense_is_refused_with_a_reason() {
    for (order, kind, words) in [
        (
            order(rule("Department -eq Sales"), &[]),
            RefusalKind::Usage,
            "line 1, column 16",
        ),
        (order(ConvertInto::Undo, &[]), RefusalKind::NotFound, "nothing to undo"),
        (
            order(ConvertInto::Proposal, &["martian"]),
            RefusalKind::NotFound,
            "nobody has the address",
        ),
        (
            ConvertOrder {
                group: address("a"),
                ..order(ConvertInto::Proposal, &[])
            },
            RefusalKind::NotFound,
            "is not a group",
        ),
    ] {
        let refusal = converted(&order).expect_err("a refusal");
        assert_eq!(refusal.kind, kind, "{refusal}");
        assert!(refusal.message.contains(words), "{refusal}");
    }
}

#[test]
fn going_back_to_the_source_forgets_the_pins_of_the_conversion_only() {
    let view = view(organisation());
    let hr = ordinal(&view.directory, "hr");
    let pin = |name: &str, action, reason: &str| Pin {
        object: ordinal(&view.directory, name),
        action,
        reason: reason.into(),
        by: "eva".into(),
        since: at(0),
        until: None,
        listed: false,
    };
    let told = Told {
        pins: HashMap::from([(
            hr,
            [
                pin("a", PinAction::Exclude, super::convert::CONVERSION_EXCLUDES),
                pin("eva", PinAction::Include, "cover"),
            ]
            .into_iter()
            .collect(),
        )]),
        ..Told::default()
    };
    let source = view.group(hr).expect("the group").clone();
    let answer = ask(&view, &told, |groups| {
        groups.conversion(&order(ConvertInto::Undo, &[]), None, Some(&source))
    });
    let answer = answer.expect("an answer").answer;
    // The list of the view was computed without pins.
    assert_eq!((answer.joining, answer.leaving), (vec![address("eva")], vec![]));
    assert_eq!(answer.into, "source");
}

#[test]
fn a_pin_is_shown_to_everybody_but_the_one_it_keeps_out() {
    let view = view(organisation());
    let hr = ordinal(&view.directory, "hr");
    let kept_out = Pin {
        object: ordinal(&view.directory, "a"),
        action: PinAction::Exclude,
        reason: "gift".into(),
        by: "eva".into(),
        since: at(1),
        until: Some(at(200)),
        listed: true,
    };
    let told = Told {
        pins: HashMap::from([(hr, [kept_out].into_iter().collect())]),
        ..Told::default()
    };
    ask(&view, &told, |groups| {
        for (seen_by, count) in [(None, 1), (Some("b"), 1), (Some("a"), 0)] {
            let seen_by = seen_by.map(address);
            let pins = groups.pins_of(&address("hr"), seen_by.as_deref()).expect("pins");
            assert_eq!(pins.len(), count, "{seen_by:?}");
            let why = groups.why(&WhyQuestion {
                group: address("hr"),
                recipient: address("a"),
                seen_by: seen_by.clone(),
                ..WhyQuestion::default()
            });
            assert_eq!(why.expect("an answer").pins.len(), count, "{seen_by:?}");
        }
        let group = groups.group(&address("hr")).expect("a group").1;
        assert_eq!(groups.owner(group, &address("eva")).ok(), Some(address("eva")));
        let refusal = groups.owner(group, &address("a")).expect_err("no owner");
        assert_eq!(refusal.kind, RefusalKind::Guard);
    });
}

#[test]
fn a_question_about_the_past_gives_an_exclusion_away_neither() {
    let (view, mut told) = past(&view(organisation()));
    let sales = ordinal(&view.directory, "sales");
    let kept_out = Pin {
        object: ordinal(&view.directory, "a"),
        action: PinAction::Exclude,
        reason: "gift".into(),
        by: "eva".into(),
        since: at(3),
        until: None,
        listed: true,
    };
    told.pins = HashMap::from([(sales, [kept_out].into_iter().collect())]);
    ask(&view, &told, |groups| {
        for (seen_by, member) in [(None, false), (Some(address("a")), true)] {
            let why = groups.why(&WhyQuestion {
                group: address("sales"),
                recipient: address("a"),
                at: Some(at(3)),
                seen_by,
                ..WhyQuestion::default()
            });
            assert_eq!(why.expect("an answer").member, member);
        }
    });
}

/// Versions of a dynamic list: b came, a went, b went again.
fn past(view: &View) -> (View, Told) {
    let sales = ordinal(&view.directory, "sales");
    let numbers: HashMap<&str, Ordinal> = ["a", "b", "eva"]
        .into_iter()
        .map(|name| (name, ordinal(&view.directory, name)))
        .collect();
    let list = |version: u64, hour: i64, names: &[&str]| {
        let mut roll = (**view.roll(sales).expect("a list")).clone();
        roll.version = version;
        roll.entries = crate::rolls::Entries::new(
            names.iter().map(|name| numbers[name].0).collect(),
            Vec::new(),
            Vec::new(),
        );
        roll.provenance.computed_at = at(hour);
        roll.provenance.cause = Cause::DirectoryChanged;
        roll
    };
    let versions = [
        list(1, 1, &["a", "eva"]),
        list(2, 2, &["a", "b", "eva"]),
        list(3, 3, &["b", "eva"]),
        list(4, 4, &["eva"]),
    ];
    let mut differences = vec![Difference::between(None, &versions[0], Vec::new())];
    for pair in versions.windows(2) {
        let mut details = Details::default();
        let (came, went) = pair[0].entries.objects.change_to(&pair[1].entries.objects);
        let title = EntryCause::attribute(Attribute::Title, Some("Clerk"), Some("Director"), &SourceId::new("hr"));
        for number in came.iter() {
            details.note(title.clone(), Direction::Added, Ordinal(number));
        }
        for number in went.iter() {
            details.note(EntryCause::PinEnded, Direction::Removed, Ordinal(number));
        }
        differences.push(Difference::between(Some(&pair[0]), &pair[1], details.finish()));
    }
    differences.reverse();
    let view = View {
        rolls: std::sync::Arc::new(view.rolls.with_rolls([versions[3].clone()])),
        ..view.clone()
    };
    let told = Told {
        differences,
        ..Told::default()
    };
    (view, told)
}

#[test]
fn a_difference_names_who_came_and_went_and_why() {
    let (view, told) = past(&view(organisation()));
    ask(&view, &told, |groups| {
        let diff = groups.diff(&address("sales"), at(1), at(4)).expect("an answer");
        let told: Vec<(&str, &str, &str, Option<&str>)> = diff
            .changes
            .iter()
            .map(|change| {
                let source = change.source.as_deref();
                (
                    change.change.as_str(),
                    change.address.as_str(),
                    change.cause.as_str(),
                    source,
                )
            })
            .collect();
        assert_eq!(told, [("left", "a@contoso.example", "pin ended", None)]);
        let passing: Vec<(&str, u64)> = diff
            .passing
            .iter()
            .map(|change| (change.change.as_str(), change.version))
            .collect();
        assert_eq!(passing, [("joined", 2), ("left", 4)]);
        assert_eq!((diff.from_entries, diff.to_entries), (2, 1));

        let diff = groups.diff(&address("sales"), at(1), at(2)).expect("an answer");
        let words = "Title changed from \"Clerk\" to \"Director\"";
        assert_eq!(
            (diff.changes[0].cause.as_str(), diff.changes[0].source.as_deref()),
            (words, Some("hr"))
        );

        let diff = groups.diff(&address("sales"), at(0), at(4)).expect("an answer");
        assert_eq!((diff.from_version, diff.changes.len()), (None, 1));
        assert!(diff.notes[0].contains("no list at the earlier time"));
    });
}

#[test]
fn members_of_a_time_are_those_of_its_version() {
    let (view, told) = past(&view(organisation()));
    ask(&view, &told, |groups| {
        for (hour, expected) in [
            (1, &["a", "eva"][..]),
            (2, &["a", "b", "eva"]),
            (3, &["b", "eva"]),
            (50, &["eva"]),
        ] {
            let members = groups
                .members(
                    &address("sales"),
                    crate::admin::command::MemberDepth::Direct,
                    Some(at(hour)),
                )
                .expect("a list");
            let names: Vec<String> = members.members.iter().map(|member| member.address.clone()).collect();
            assert_eq!(
                names,
                expected.iter().map(|name| address(name)).collect::<Vec<_>>(),
                "{hour} h"
            );
        }
        let early = groups.members(
            &address("sales"),
            crate::admin::command::MemberDepth::Direct,
            Some(at(0)),
        );
        assert_eq!(early.expect_err("no list then").kind, RefusalKind::NotFound);
        let history = groups.history(&address("sales"), 2).expect("versions");
        let told: Vec<(u64, u64, u64, u64)> = history
            .versions
            .iter()
            .map(|version| (version.version, version.entries, version.joined, version.left))
            .collect();
        assert_eq!(told, [(4, 1, 0, 1), (3, 2, 0, 1)]);
        assert!(history.more);
    });
}

#[test]
fn why_of_a_time_is_that_time_and_tells_when_values_changed() {
    let (view, mut told) = past(&view(organisation()));
    told.changes.push(AttributeChange {
        ordinal: ordinal(&view.directory, "a"),
        attribute: Attribute::Department,
        at: at(7),
        before: None,
        after: Some("Human Resources".into()),
        source: SourceId::new("hr"),
    });
    ask(&view, &told, |groups| {
        for (hour, member) in [(None, false), (Some(2), true), (Some(3), false)] {
            let why = groups
                .why(&WhyQuestion {
                    group: address("sales"),
                    recipient: address("a"),
                    at: hour.map(at),
                    ..WhyQuestion::default()
                })
                .expect("an answer");
            assert_eq!(why.member, member, "{hour:?}");
            assert_eq!(why.clauses[0].changed_at, Some(at(7)));
        }
    });
}

#[test]
fn a_preview_counts_with_the_pins_of_the_group() {
    let view = view(organisation());
    let sales = ordinal(&view.directory, "sales");
    let pinned = Pin {
        object: ordinal(&view.directory, "consultant"),
        action: PinAction::Include,
        reason: "cover".into(),
        by: "eva".into(),
        since: at(1),
        until: None,
        listed: false,
    };
    let told = Told {
        pins: HashMap::from([(sales, [pinned].into_iter().collect())]),
        ..Told::default()
    };
    ask(&view, &told, |groups| {
        let question = crate::admin::command::PreviewQuestion {
            rule: RuleQuestion {
                group: Some(address("sales")),
                filter: Some("user.department -eq \"Human Resources\"".to_owned()),
                ..RuleQuestion::default()
            },
            sample_max: 2,
            ..Default::default()
        };
        let command = crate::admin::command::RuleCommand::GroupPreview(question);
        let Ok(crate::admin::answer::RuleAnswer::GroupPreview(preview)) = groups.rule(&command) else {
            panic!("a preview")
        };
        assert_eq!((preview.count, preview.joins, preview.leaves), (9, 9, 1), "{preview:?}");
        assert_eq!(preview.joining.len(), 2);
        assert_eq!(preview.language, "entra");
    });
}

#[test]
fn a_frozen_list_keeps_the_entry_that_names_nobody() {
    let view = view(organisation());
    let hr = ordinal(&view.directory, "hr");
    assert_eq!(view.roll(hr).map(|roll| roll.entries.unresolved.len()), Some(1));
    let conversion = ask(&view, &Told::default(), |groups| {
        groups.conversion(&order(ConvertInto::Static(None), &[]), None, None)
    });
    let super::convert::Become::Members(members) = conversion.expect("an answer").becomes else {
        panic!("a list")
    };
    assert_eq!(members.len(), 9);
}
