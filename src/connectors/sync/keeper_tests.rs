//! The keeper as a whole, over the memory store and with a clock that tests move.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::directory::attribute::Attribute;
use crate::directory::group::{FilterLanguage, RuleCondition};
use crate::directory::testing::{ObjectBuilder, dynamic_group, group, person};
use crate::directory::{ChangeSet, ObjectId, Ordinal, RecipientObject};
use crate::rolls::history::{Past, PinAction};
use crate::rolls::local::Chosen;
use crate::rolls::{Cause, EntryCause, RollDefaults, RollPolicy, RollState, freshness};
use crate::store::HistoryQuery;
use crate::store::memory::MemoryDirectoryStore;

struct Rig {
    store: Arc<MemoryDirectoryStore>,
    keeper: DirectoryKeeper,
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

fn source() -> SourceId {
    SourceId::new("test")
}

fn settings() -> KeeperSettings {
    KeeperSettings {
        sources: vec![SourceSettings {
            name: source(),
            max_age: None,
            guard: GuardSettings {
                share_percent: 100,
                ..GuardSettings::default()
            },
        }],
        ..KeeperSettings::default()
    }
}

fn author(reason: &str) -> Author {
    Author {
        by: "eva@contoso.example".into(),
        reason: reason.into(),
    }
}

impl Rig {
    fn new() -> Self {
        Self::over(Arc::new(MemoryDirectoryStore::new("space")), at(0))
    }

    fn over(store: Arc<MemoryDirectoryStore>, now: Timestamp) -> Self {
        let shared: SharedDirectoryStore = Arc::clone(&store) as SharedDirectoryStore;
        let keeper = DirectoryKeeper::open(shared, EvaluationOptions::default(), settings(), now).expect("opens");
        Self { store, keeper }
    }

    /// The service stops and starts again.
    fn restarted(self, now: Timestamp) -> Self {
        Self::over(self.store, now)
    }

    fn load(&self, objects: impl IntoIterator<Item = ObjectBuilder>, now: Timestamp) -> Applied {
        let objects = objects.into_iter().map(|object| owned(object.build())).collect();
        let applied = self.keeper.apply(&source(), objects, None, Acceptance::Guarded, now);
        applied.expect("stores")
    }

    fn change(&self, object: ObjectBuilder, now: Timestamp) -> Changed {
        let changes = ChangeSet::upsert(owned(object.build()));
        let applied = self.keeper.apply_changes(&source(), changes, Acceptance::Guarded, now);
        match applied.expect("stores") {
            Applied::Changed(changed) => changed,
            other => panic!("not changed but {other:?}"),
        }
    }

    fn ordinal(&self, name: &str) -> Ordinal {
        let found = self.keeper.view().directory.lookup_reference(name).one();
        found.unwrap_or_else(|| panic!("nobody is called {name}"))
    }

    /// Who is in the list that serves, by local-part.
    fn members(&self, group: &str) -> Vec<String> {
        let view = self.keeper.view();
        let roll = view.roll(self.ordinal(group)).expect("a roll");
        let name = |number: u32| match view.row(Ordinal(number)) {
            Some(row) => row.primary_address().split('@').next().unwrap_or_default().to_owned(),
            None => format!("gone {number}"),
        };
        let mut names: Vec<String> = roll.entries.objects.iter().map(name).collect();
        names.sort();
        names
    }

    fn state(&self, group: Ordinal, now: Timestamp) -> RollState {
        let view = self.keeper.view();
        let policy = RollPolicy::of(None, &RollDefaults::default());
        freshness::state(view.rolls.entry(group), &policy, now)
    }

    fn version(&self, group: &str) -> u64 {
        self.keeper.view().roll(self.ordinal(group)).expect("a roll").version
    }
}

fn owned(mut object: RecipientObject) -> RecipientObject {
    object.source = source();
    object
}

fn at_office(name: &str, office: &str) -> ObjectBuilder {
    person(&format!("{name}@contoso.example")).office(office)
}

fn berlin() -> ObjectBuilder {
    dynamic_group("berlin@contoso.example", "Office -eq 'Berlin'")
}

/// Berlin and this many people in it.
fn organisation(people: usize) -> Vec<ObjectBuilder> {
    let mut objects = vec![berlin()];
    objects.extend((0..people).map(|number| at_office(&format!("p{number:02}"), "Berlin")));
    objects
}

#[test]
fn a_change_patches_the_list_and_history_tells_why() {
    let rig = Rig::new();
    rig.load(
        [berlin(), at_office("lena", "Berlin"), at_office("jonas", "Bonn")],
        at(0),
    );
    assert_eq!(rig.members("berlin@contoso.example"), ["lena"]);

    rig.change(at_office("jonas", "Berlin"), at(10));
    assert_eq!(rig.members("berlin@contoso.example"), ["jonas", "lena"]);
    let group = rig.ordinal("berlin@contoso.example");
    let history = rig.keeper.history(group, HistoryQuery::default()).expect("reads");
    let jonas = rig.ordinal("jonas@contoso.example");
    let (_, cause) = history[0].cause_of(jonas).expect("he came");
    let expected = EntryCause::attribute(Attribute::Office, Some("Bonn"), Some("Berlin"), &source());
    assert_eq!(cause, Some(&expected));

    let Past::Known(before) = rig.keeper.entries_at(group, at(9)).expect("known") else {
        panic!("history reaches back")
    };
    assert!(!before.entries.objects.contains(jonas.0));
    let changes = rig.keeper.attribute_changes(jonas).expect("reads");
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((changes[0].attribute, changes[0].at), (Attribute::Office, at(10)));
}

#[test]
fn a_mass_removal_is_held_and_the_old_list_serves_until_accepted() {
    let rig = Rig::new();
    rig.load(organisation(40), at(0));
    let all = rig.members("berlin@contoso.example");
    let mut after = organisation(0);
    after.extend((0..40).map(|number| at_office(&format!("p{number:02}"), if number < 30 { "BER" } else { "Berlin" })));
    let Applied::Changed(changed) = rig.load(after, at(120)) else {
        panic!("the directory changes, only the list waits")
    };
    assert_eq!(changed.held.len(), 1, "{:?}", changed.held);
    assert_eq!(rig.members("berlin@contoso.example"), all);
    let group = rig.ordinal("berlin@contoso.example");
    assert_eq!(rig.state(group, at(121)), RollState::Guarded);
    let hold = rig.keeper.hold(group).expect("held");
    assert_eq!(hold.proposed.entries.removed.len(), 30);
    assert_eq!(hold.blames.list().len(), 1, "one cause: {:?}", hold.blames);

    // A restart changes nothing about it.
    let rig = rig.restarted(at(125));
    assert_eq!(rig.members("berlin@contoso.example"), all);
    assert_eq!(rig.keeper.holds().len(), 1);
    // It serves whatever its age, until somebody decides.
    assert_eq!(rig.state(group, at(60 * 24 * 365)), RollState::Guarded);
    let pinned = rig.ordinal("p39@contoso.example");
    rig.keeper
        .pin(group, pinned, PinAction::Exclude, None, &author("away"), at(126))
        .expect("pinned");
    assert_eq!(rig.members("berlin@contoso.example").len(), 39);
    assert_eq!(
        rig.state(group, at(127)),
        RollState::Guarded,
        "a new version does not hide the hold"
    );
    rig.keeper
        .unpin(group, pinned, &author("back"), at(128))
        .expect("unpinned");
    rig.keeper
        .accept(group, &author("office codes"), at(130))
        .expect("accepted");
    assert_eq!(rig.members("berlin@contoso.example").len(), 10);
    assert!(rig.keeper.holds().is_empty());
    assert_eq!(rig.state(group, at(131)), RollState::Fresh);
    let audit = rig.keeper.audit(None, 10).expect("reads");
    assert_eq!(
        (audit[0].what.as_str(), audit[0].reason.as_str()),
        ("guard-accept", "office codes")
    );
    let ticked = rig.keeper.verify(None, at(131)).expect("verifies");
    assert_eq!(ticked.differences, 0);
}

#[test]
fn leavers_one_by_one_bring_the_whole_list_back() {
    let rig = Rig::new();
    rig.load(organisation(40), at(0));
    for number in 0..15 {
        rig.change(at_office(&format!("p{number:02}"), "Bonn"), at(120 + number));
    }
    let group = rig.ordinal("berlin@contoso.example");
    assert!(rig.keeper.hold(group).is_some());
    assert_eq!(
        rig.members("berlin@contoso.example").len(),
        40,
        "also those who left before it tripped"
    );
    rig.keeper.reject(group, &author("wait"), at(140)).expect("rejected");
    assert_eq!(rig.members("berlin@contoso.example").len(), 40);
    for number in 0..15 {
        rig.change(at_office(&format!("p{number:02}"), "Berlin"), at(150 + number));
    }
    assert!(rig.keeper.hold(group).is_none(), "it ends by itself");
}

#[test]
fn pins_hold_and_end_by_themselves() {
    let rig = Rig::new();
    rig.load(
        [berlin(), at_office("lena", "Berlin"), at_office("jonas", "Bonn")],
        at(0),
    );
    let group = rig.ordinal("berlin@contoso.example");
    let (lena, jonas) = (
        rig.ordinal("lena@contoso.example"),
        rig.ordinal("jonas@contoso.example"),
    );
    let pin = |object, action, until| rig.keeper.pin(group, object, action, until, &author("cover"), at(1));
    pin(jonas, PinAction::Include, Some(at(60))).expect("pinned");
    pin(lena, PinAction::Exclude, Some(at(30))).expect("pinned");
    assert_eq!(rig.members("berlin@contoso.example"), ["jonas"]);
    assert_eq!(rig.keeper.next_instant(), Some(at(30)));
    // The rule goes on below the pins.
    rig.change(at_office("lena", "Bonn"), at(10));
    rig.change(at_office("lena", "Berlin"), at(11));
    assert_eq!(rig.members("berlin@contoso.example"), ["jonas"]);

    let rig = rig.restarted(at(12));
    rig.keeper.tick(at(29)).expect("ticks");
    assert_eq!(rig.members("berlin@contoso.example"), ["jonas"]);
    rig.keeper.tick(at(30)).expect("ticks");
    assert_eq!(rig.members("berlin@contoso.example"), ["jonas", "lena"]);
    rig.keeper.tick(at(60)).expect("ticks");
    assert_eq!(rig.members("berlin@contoso.example"), ["lena"]);
    assert!(rig.keeper.pins(group).is_empty());
    let history = rig.keeper.history(group, HistoryQuery::default()).expect("reads");
    assert_eq!(
        history[0].cause_of(jonas).expect("he went").1,
        Some(&EntryCause::PinEnded)
    );
}

#[test]
fn a_rule_that_asks_for_the_date_follows_the_clock() {
    let rig = Rig::new();
    let entra = RuleCondition::Custom {
        language: FilterLanguage::Entra,
        text: "user.employeeHireDate -le system.now".into(),
    };
    let starters = dynamic_group("started@contoso.example", "Office -eq 'x'")
        .with_group(|group| group.rule.as_mut().expect("a rule").condition = entra);
    let new = person("new@contoso.example").attribute(Attribute::EmployeeHireDate, "1970-01-01T02:00:00Z");
    rig.load([starters, new], at(0));
    assert!(rig.members("started@contoso.example").is_empty());
    assert_eq!(rig.keeper.next_instant(), Some(at(120)));
    rig.keeper.tick(at(119)).expect("ticks");
    assert!(rig.members("started@contoso.example").is_empty());
    rig.keeper.tick(at(120)).expect("ticks");
    assert_eq!(rig.members("started@contoso.example"), ["new"]);
    assert_eq!(rig.keeper.next_instant(), None);
}

#[test]
fn a_decision_lies_over_the_source_and_can_be_undone() {
    let rig = Rig::new();
    let people = || vec![berlin(), at_office("lena", "Berlin"), at_office("jonas", "Bonn")];
    rig.load(people(), at(0));
    let group = rig.ordinal("berlin@contoso.example");
    let frozen = Chosen::Members(vec!["lena@contoso.example".into()]);
    rig.keeper
        .choose(group, frozen, &author("audit"), at(5))
        .expect("chosen");
    rig.change(at_office("jonas", "Berlin"), at(6));
    assert_eq!(rig.members("berlin@contoso.example"), ["lena"]);

    // The source says the same again, and the service restarts: our decision stays.
    let rig = rig.restarted(at(7));
    let same = vec![berlin(), at_office("lena", "Berlin"), at_office("jonas", "Berlin")];
    assert!(matches!(rig.load(same, at(8)), Applied::Unchanged));
    assert_eq!(rig.members("berlin@contoso.example"), ["lena"]);
    rig.keeper.undo_choice(group, &author("done"), at(9)).expect("undone");
    assert_eq!(rig.members("berlin@contoso.example"), ["jonas", "lena"]);
    let again = rig.keeper.undo_choice(group, &author("done"), at(9));
    assert!(matches!(again, Err(DecideFault::NothingToUndo)));
    let history = rig.keeper.history(group, HistoryQuery::default()).expect("reads");
    assert_eq!(history[0].cause, Cause::Decided);
}

#[test]
fn a_failed_store_changes_nothing() {
    let rig = Rig::new();
    rig.load([berlin(), at_office("lena", "Berlin")], at(0));
    let version = rig.version("berlin@contoso.example");
    rig.store.fail_next_store(StoreFault::Suspect("full".into()));
    let changes = ChangeSet::upsert(owned(at_office("lena", "Bonn").build()));
    let refused = rig.keeper.apply_changes(&source(), changes, Acceptance::Guarded, at(1));
    assert!(matches!(refused, Err(StoreFault::Suspect(_))));
    assert_eq!(rig.version("berlin@contoso.example"), version);
    rig.change(at_office("lena", "Bonn"), at(2));
    assert!(rig.members("berlin@contoso.example").is_empty());
    assert_eq!(rig.keeper.verify(None, at(3)).expect("verifies").differences, 0);
}

#[test]
fn who_is_gone_and_comes_back_is_somebody_else() {
    let rig = Rig::new();
    let team = || group("team@contoso.example").members(&["lena@contoso.example"]);
    rig.load(
        [team(), person("lena@contoso.example"), person("jonas@contoso.example")],
        at(0),
    );
    let before = rig.ordinal("lena@contoso.example");
    rig.load([team(), person("jonas@contoso.example")], at(10));
    let gone = rig.keeper.gone(&[before]).expect("reads");
    assert_eq!(gone[&before].address, "lena@contoso.example");
    rig.load(
        [team(), person("lena@contoso.example"), person("jonas@contoso.example")],
        at(20),
    );
    assert_ne!(rig.ordinal("lena@contoso.example"), before);
    assert_eq!(rig.members("team@contoso.example"), ["lena"]);
    assert_eq!(rig.keeper.verify(None, at(21)).expect("verifies").differences, 0);
}

#[test]
fn a_known_digest_spares_reading_again() {
    let rig = Rig::new();
    let objects = || vec![owned(person("lena@contoso.example").build())];
    let apply = |rig: &Rig, digest| {
        rig.keeper
            .apply(&source(), objects(), Some(digest), Acceptance::Guarded, at(0))
    };
    apply(&rig, "one").expect("stores");
    assert!(rig.keeper.knows(&source(), "one"));
    let rig = rig.restarted(at(1));
    assert!(rig.keeper.knows(&source(), "one"));
    apply(&rig, "two").expect("stores");
    assert!(!rig.keeper.knows(&source(), "one"));
    let lena = rig.ordinal("lena@contoso.example");
    let id: ObjectId = rig.keeper.view().object(lena).expect("there").id.clone();
    let removal = ChangeSet::remove(id);
    rig.keeper
        .apply_changes(&source(), removal, Acceptance::Accepted, at(2))
        .expect("stores");
    assert!(
        !rig.keeper.knows(&source(), "two"),
        "the directory is not what the snapshot said any more"
    );
}

#[test]
fn history_ends_where_its_retention_ends() {
    let rig = Rig::new();
    rig.load([berlin(), at_office("lena", "Berlin")], at(0));
    const DAY: i64 = 24 * 60;
    for day in 1..=3 {
        rig.change(
            at_office("lena", if day % 2 == 1 { "Bonn" } else { "Berlin" }),
            at(day * DAY),
        );
    }
    let group = rig.ordinal("berlin@contoso.example");
    let known = |day: i64| rig.keeper.entries_at(group, at(day * DAY + 1)).expect("reads");
    assert!(matches!(known(1), Past::Known(_)));
    assert_eq!(
        rig.keeper.prune(at(400 * DAY)).expect("prunes"),
        0,
        "nothing is old enough"
    );
    assert!(rig.keeper.prune(at(402 * DAY + 2)).expect("prunes") > 0);
    assert!(matches!(known(3), Past::Known(_)));
    assert!(matches!(known(0), Past::Unknown { .. }), "{:?}", known(0));
}
