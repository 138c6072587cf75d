//! Entries that are no longer what they were when the roll was computed (DESIGN §5).

use super::support::{ask, internal, later, reached, run, to, view};
use crate::directory::group::StaleAction;
use crate::directory::testing::{ObjectBuilder, dynamic_group, group, person};
use crate::directory::{ChangeSet, Location, ObjectId, RecipientKind};
use crate::expansion::{Expansion, HopId, Verdict};
use crate::policy::rules::DisabledAccounts;
use crate::policy::testing::rules;
use crate::rolls::View;
use crate::track::{EventKind, Reason};

fn drops(expansion: &Expansion) -> Vec<(String, Reason)> {
    let drops = expansion.events.iter().filter_map(|event| match event {
        EventKind::Drop { recipient, reason, .. } => Some((recipient.clone(), *reason)),
        _ => None,
    });
    drops.collect()
}

fn send(view: &View, address: &str) -> Expansion {
    let (sender, recipients) = (internal("boss@contoso.example"), to(&[address]));
    run(&ask(&sender, &recipients), view, &rules())
}

fn world() -> View {
    view([
        group("g@contoso.example").owners(&["boss@contoso.example"]).members(&[
            "lena@contoso.example",
            "jonas@contoso.example",
            "team@contoso.example",
            "typo@contoso.example",
            "CN=Gone,DC=x",
        ]),
        person("lena@contoso.example"),
        person("jonas@contoso.example"),
        group("team@contoso.example").members(&["jonas@contoso.example"]),
        person("boss@contoso.example"),
    ])
}

fn remove(ids: &[&str]) -> ChangeSet {
    ChangeSet {
        upserts: Vec::new(),
        removals: ids
            .iter()
            .map(|id| ObjectId::new(format!("id:{id}@contoso.example")))
            .collect(),
    }
}

#[test]
fn deleted_members_and_vanished_groups_are_dropped_and_the_owner_is_told() {
    let view = later(&world(), remove(&["lena", "team"]));
    let expansion = send(&view, "g@contoso.example");
    assert_eq!(reached(&expansion), ["jonas@contoso.example"]);
    assert_eq!(
        drops(&expansion),
        [
            ("typo@contoso.example".to_owned(), Reason::MemberUnresolved),
            ("lena@contoso.example".to_owned(), Reason::MemberDeleted),
            ("team@contoso.example".to_owned(), Reason::GroupVanished),
            ("CN=Gone,DC=x".to_owned(), Reason::MemberUnresolved),
        ]
    );
    let notice = &expansion.notices[0];
    assert_eq!(notice.vanished, ["team@contoso.example"]);
    assert_eq!(
        notice.owners.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["boss@contoso.example"]
    );
    assert!(expansion.refused.is_empty(), "the sender is not told");
}

#[test]
fn the_same_is_known_after_the_roll_was_computed_again() {
    let changed = later(&world(), remove(&["lena", "team"]));
    let view = super::support::with_rolls((*changed.directory).clone());
    let mut found = drops(&send(&view, "g@contoso.example"));
    found.sort();
    assert_eq!(
        found,
        [
            ("CN=Gone,DC=x".to_owned(), Reason::MemberUnresolved),
            ("lena@contoso.example".to_owned(), Reason::MemberDeleted),
            ("team@contoso.example".to_owned(), Reason::GroupVanished),
            ("typo@contoso.example".to_owned(), Reason::MemberUnresolved),
        ]
    );
}

#[test]
fn a_moved_and_renamed_member_is_reached_where_he_is_today() {
    let before = world();
    let moved = person("lena.new@contoso.example")
        .id("id:lena@contoso.example")
        .kind(RecipientKind::RemoteUserMailbox)
        .location(Location::Cloud)
        .target("lena@contoso.mail.example")
        .build();
    let view = later(&before, ChangeSet::upsert(moved));
    let expansion = send(&view, "g@contoso.example");
    let lena = expansion
        .branches
        .iter()
        .flat_map(|branch| &branch.recipients)
        .find(|each| each.hop == HopId(0));
    assert_eq!(
        lena.map(|each| each.final_address.to_string()),
        Some("lena@contoso.mail.example".to_owned())
    );
}

#[test]
fn a_rule_that_came_after_the_roll_holds() {
    let view = later(
        &world(),
        ChangeSet::upsert(
            person("lena@contoso.example")
                .accept_from(&["jonas@contoso.example"])
                .build(),
        ),
    );
    let expansion = send(&view, "g@contoso.example");
    assert_eq!(reached(&expansion), ["jonas@contoso.example"]);
    assert_eq!(expansion.refused[0].refusal.reason, Reason::SenderNotAccepted);
}

#[test]
fn disabled_accounts_are_a_setting_and_never_a_trap_for_rooms() {
    let disabled_by_design = [
        RecipientKind::SharedMailbox,
        RecipientKind::RoomMailbox,
        RecipientKind::EquipmentMailbox,
        RecipientKind::LinkedMailbox,
        RecipientKind::SchedulingMailbox,
        RecipientKind::PublicFolderMailbox,
    ];
    let mut objects: Vec<ObjectBuilder> = disabled_by_design
        .iter()
        .enumerate()
        .map(|(number, kind)| person(&format!("d{number}@contoso.example")).kind(*kind).disabled())
        .collect();
    objects.push(person("gone@contoso.example").disabled());
    let all: Vec<String> = (0..6).map(|number| format!("d{number}@contoso.example")).collect();
    let mut members: Vec<&str> = all.iter().map(String::as_str).collect();
    members.push("gone@contoso.example");
    objects.push(group("g@contoso.example").members(&members));
    let view = view(objects);
    let sender = internal("boss@contoso.example");
    for (setting, addressed, count) in [
        (DisabledAccounts::Deliver, "g@contoso.example", 7),
        (DisabledAccounts::Drop, "g@contoso.example", 6),
        (DisabledAccounts::Drop, "gone@contoso.example", 1),
    ] {
        let mut rules = rules();
        rules.disabled_accounts = setting;
        let recipients = to(&[addressed]);
        let expansion = run(&ask(&sender, &recipients), &view, &rules);
        assert_eq!(expansion.recipients(), count, "{setting:?} {addressed}");
        assert_eq!(drops(&expansion).len(), usize::from(count == 6));
    }
}

#[test]
fn a_roll_that_is_empty_missing_or_stale_is_answered_as_the_group_says() {
    use jiff::Timestamp;
    let aged = |action: StaleAction| {
        group("g@contoso.example")
            .members(&["lena@contoso.example"])
            .with_group(|settings| {
                settings.on_stale = Some(action);
                settings.max_age = Some(std::time::Duration::from_secs(60));
            })
    };
    let broken = || dynamic_group("g@contoso.example", "NoSuchProperty -eq 'x'");
    // group, age in seconds -> refusal as (code, reason)
    for (object, age, expected) in [
        (group("g@contoso.example"), 0, Some((550, Reason::GroupEmpty))),
        (
            dynamic_group("g@contoso.example", "Office -eq 'Nowhere'"),
            0,
            Some((550, Reason::GroupEmpty)),
        ),
        (broken(), 0, Some((451, Reason::RollMissing))),
        (aged(StaleAction::Serve), 3_600, None),
        (aged(StaleAction::Defer), 30, None),
        (aged(StaleAction::Defer), 3_600, Some((451, Reason::RollStaleDefer))),
        (aged(StaleAction::Refuse), 3_600, Some((550, Reason::RollStaleRefuse))),
    ] {
        let view = view([
            object,
            person("lena@contoso.example"),
            group("parent@contoso.example").members(&["g@contoso.example", "lena@contoso.example"]),
        ]);
        let (sender, recipients) = (
            internal("boss@contoso.example"),
            to(&["g@contoso.example", "parent@contoso.example"]),
        );
        let mut request = ask(&sender, &recipients);
        request.now = Timestamp::from_second(age).expect("a test time");
        let at_rcpt = crate::expansion::judge_recipient(&recipients[0], &request, &view, &rules());
        let found = match &at_rcpt.verdict {
            Verdict::Refused(refusal) => Some((refusal.reply.code, refusal.reason)),
            Verdict::Accepted | Verdict::Held | Verdict::Discarded(_) => None,
        };
        assert_eq!(found, expected, "age {age}");
        // Below another group: trouble that may pass ends the whole, a refusal its branch, emptiness nothing.
        let parent_only = to(&["parent@contoso.example"]);
        request.start = crate::expansion::Start::Addressed(&parent_only);
        let expansion = run(&request, &view, &rules());
        let transient = expected.is_some_and(|(code, _)| code == 451);
        assert_eq!(expansion.halt.is_some(), transient, "{expected:?}");
        assert_eq!(expansion.recipients(), u64::from(!transient));
        let refused = expected.is_some_and(|(_, reason)| reason == Reason::RollStaleRefuse);
        assert_eq!(expansion.refused.len(), usize::from(refused), "{expected:?}");
    }
}

#[test]
fn an_object_that_appears_with_an_outside_members_address_is_asked() {
    let before = view([
        group("g@contoso.example")
            .open_to_outside()
            .members(&["x@outside.example"]),
        person("late@contoso.example"),
    ]);
    let now_listed = person("late@contoso.example")
        .proxy("smtp:x@outside.example")
        .accept_from(&["late@contoso.example"])
        .build();
    let expansion = send(&later(&before, ChangeSet::upsert(now_listed)), "g@contoso.example");
    assert_eq!(expansion.recipients(), 0);
    assert_eq!(expansion.refused[0].refusal.reason, Reason::SenderNotAccepted);
}

#[test]
fn suppressed_members_are_left_out_wherever_they_come_from() {
    use crate::rolls::hold::Decision;
    use crate::rolls::suspect::{SuspectSettings, Suspects};

    let ruled = person("ruled@contoso.example").accept_from(&["boss@contoso.example"]);
    let view = view([
        group("g@contoso.example").members(&[
            "lena@contoso.example",
            "jonas@contoso.example",
            "ruled@contoso.example",
            "out@outside.example",
            "team@contoso.example",
        ]),
        person("lena@contoso.example"),
        person("jonas@contoso.example"),
        ruled,
        person("boss@contoso.example"),
        group("team@contoso.example").members(&["lena@contoso.example"]),
    ]);
    let mut suspects = Suspects::default();
    for address in ["lena@contoso.example", "ruled@contoso.example", "out@outside.example"] {
        let decision = Decision {
            by: "eva".into(),
            reason: "bounces".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let change = suspects.suppress(&address.parse().expect("valid"), decision);
        suspects.take(&change);
    }
    let mut suppressing = view.clone();
    suppressing.suppressed = suspects.suppressed(&SuspectSettings::default(), &view.directory).into();
    assert_eq!(reached(&send(&view, "g@contoso.example")).len(), 4);
    let expansion = send(&suppressing, "g@contoso.example");
    assert_eq!(reached(&expansion), ["jonas@contoso.example"]);
    let dropped = ["lena@contoso.example", "ruled@contoso.example", "out@outside.example"]
        .map(|address| (address.to_owned(), Reason::MemberSuspect));
    assert_eq!(drops(&expansion), dropped, "each once");
    // Whoever writes to the person itself is not stopped: the next hop answers.
    assert_eq!(
        reached(&send(&suppressing, "lena@contoso.example")),
        ["lena@contoso.example"]
    );
}
