//! What every directory store must do.

use super::*;
use crate::directory::attribute::Attribute;
use crate::directory::{ObjectId, SourceId};
use crate::rolls::guard::{GuardLimits, Guarding};
use crate::rolls::history::{EntryCause, PinAction};
use crate::rolls::hold::{Decision, Hold};
use crate::rolls::local::{Chosen, Cutover, CutoverState, LocalDecision, LocalDecisions};
use crate::rolls::pin::{Pin, Pins};
use crate::rolls::standing::{Arrival, Standing};
use crate::rolls::suspect::{SuspectChange, Suspects};
use crate::rolls::{Cause, Details, Entries, Provenance};

/// An object as tests store it.
pub(crate) fn object(ordinal: u32) -> ObjectRow {
    ObjectRow {
        ordinal,
        id: format!("id-{ordinal}"),
        octets: format!("person{ordinal}@contoso.example").into_bytes(),
    }
}

/// The stored objects.
pub(crate) fn objects(store: &dyn DirectoryStore) -> Vec<(u32, Vec<u8>)> {
    let mut found = Vec::new();
    let damaged = store.objects(&mut |ordinal, octets| found.push((ordinal.0, octets.to_vec())));
    assert_eq!(damaged, Ok(Vec::new()));
    found
}

pub(crate) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a test time")
}

/// A roll as tests store it: version `n` was made at second `10 n`.
pub(crate) fn roll(group: u32, version: u64, objects: impl IntoIterator<Item = u32>) -> Arc<Roll> {
    let at = time(10 * i64::try_from(version).expect("small"));
    Arc::new(Roll {
        group: Ordinal(group),
        version,
        entries: Entries::new(
            objects.into_iter().collect(),
            vec!["x@outside.example".parse().expect("valid")],
            vec!["nobody@contoso.example".into()],
        ),
        subscribers: None,
        provenance: Provenance {
            generation: version,
            filter_hash: 7,
            computed_at: at,
            confirmed_at: at,
            cause: Cause::DirectoryChanged,
        },
    })
}

/// The change from one roll to the next.
pub(crate) fn change(before: Option<&Arc<Roll>>, roll: &Arc<Roll>) -> RollChange {
    let mut details = Details::default();
    let office = EntryCause::attribute(Attribute::Office, Some("Berlin"), None, &SourceId::new("hr"));
    details.note_all(office, &roll.entries.objects.to_set(), &roaring::RoaringBitmap::new());
    let difference = Difference::between(before.map(|roll| &**roll), roll, details.finish());
    RollChange {
        roll: Arc::clone(roll),
        difference: Some(Arc::new(difference)),
    }
}

/// Two generations, then contradictions; returns what must be there.
pub(crate) fn check(store: &dyn DirectoryStore) -> DirectoryState {
    let empty = store.load().expect("loads");
    assert_eq!((empty.generation, empty.ordinal_next, objects(store).len()), (0, 0, 0));
    assert!(!empty.space.is_empty());
    let (zero, three) = (roll(0, 1, [1, 2]), roll(3, 1, [1]));
    let first = ChangeBatch {
        generation: 1,
        ordinal_next: 4,
        objects: (0..4).map(object).collect(),
        rolls: vec![change(None, &zero), change(None, &three)],
        ..ChangeBatch::default()
    };
    store.store(first).expect("stores");
    let mut renamed = object(1);
    renamed.octets = b"renamed".to_vec();
    let next = roll(0, 2, [1, 4]);
    let second = ChangeBatch {
        generation: 2,
        ordinal_next: 5,
        objects: vec![renamed.clone(), object(4)],
        objects_removed: vec![2],
        rolls: vec![change(Some(&zero), &next)],
        rolls_removed: vec![3],
        at: time(20),
        ..ChangeBatch::default()
    };
    store.store(second).expect("stores");
    let expected = DirectoryState {
        space: empty.space,
        generation: 2,
        ordinal_next: 5,
        rolls: vec![(*next).clone()],
        ..DirectoryState::default()
    };
    let kept: Vec<(u32, Vec<u8>)> = [object(0), renamed, object(3), object(4)]
        .map(|row| (row.ordinal, row.octets))
        .into();
    assert_eq!(store.load().as_ref(), Ok(&expected));
    assert_eq!(objects(store), kept);
    refuses_contradictions(store, &next);
    assert_eq!(
        store.load().as_ref(),
        Ok(&expected),
        "nothing of a contradiction was kept"
    );
    assert_eq!(objects(store), kept, "nor of its objects");
    expected
}

fn refuses_contradictions(store: &dyn DirectoryStore, latest: &Arc<Roll>) {
    let mut stranger = object(3);
    stranger.id = "another".to_owned();
    let mut moved = object(5);
    moved.id = "id-3".to_owned();
    let gap = change(Some(&roll(0, 3, [1])), &roll(0, 4, [1, 2]));
    let mut backwards = change(Some(latest), &roll(0, 3, [1]));
    backwards.roll = roll(0, 2, [1]);
    backwards.difference = None;
    for (what, objects, rolls, generation, ordinal_next) in [
        ("an old generation", vec![], vec![], 2, 5),
        ("a counter that goes down", vec![], vec![], 3, 4),
        ("an ordinal with another object", vec![stranger], vec![], 3, 5),
        ("an object with another ordinal", vec![moved], vec![], 3, 6),
        ("an ordinal of a removed object", vec![object(2)], vec![], 3, 5),
        ("an ordinal above the counter", vec![object(7)], vec![], 3, 7),
        ("a version that does not follow", vec![object(5)], vec![gap], 3, 6),
        ("a whole roll that is not newer", vec![object(5)], vec![backwards], 3, 6),
        (
            "a first version of a roll that is there",
            vec![object(5)],
            vec![change(None, &roll(0, 1, [1]))],
            3,
            6,
        ),
    ] {
        let batch = ChangeBatch {
            generation,
            ordinal_next,
            objects,
            rolls,
            ..ChangeBatch::default()
        };
        assert!(
            matches!(store.store(batch), Err(StoreFault::Contradiction(_))),
            "{what}"
        );
    }
}

/// A long life of one roll: what is loaded is the last version, the history is whole; then it is pruned, the group
/// goes, and its history can still be told. Returns the state before the group went.
pub(crate) fn check_history(store: &dyn DirectoryStore) -> DirectoryState {
    let mut versions: Vec<Arc<Roll>> = Vec::new();
    let mut differences: Vec<Difference> = Vec::new();
    for number in 1..=60_u64 {
        let first = u32::try_from(number).expect("small");
        let next = roll(9, number, (first..first + 500).filter(|each| each % 7 != 3));
        let change = change(versions.last(), &next);
        differences.extend(change.difference.as_deref().cloned());
        versions.push(next);
        let batch = ChangeBatch {
            generation: number,
            ordinal_next: 10,
            objects: if number == 1 { vec![object(9)] } else { Vec::new() },
            rolls: vec![change],
            ..ChangeBatch::default()
        };
        store.store(batch).expect("stores");
    }
    let mut confirmed = (**versions.last().expect("sixty")).clone();
    confirmed.provenance.confirmed_at = time(5_000);
    let batch = ChangeBatch {
        generation: 61,
        ordinal_next: 10,
        rolls_confirmed: vec![Arc::new(confirmed.clone())],
        ..ChangeBatch::default()
    };
    store.store(batch).expect("stores");
    let state = store.load().expect("loads");
    assert_eq!((&state.rolls, &state.damaged), (&vec![confirmed], &Vec::new()));

    let group = Ordinal(9);
    let newest_first: Vec<Difference> = differences.iter().rev().cloned().collect();
    let history = |query| store.history(group, query).expect("reads");
    assert_eq!(history(HistoryQuery::default()), newest_first);
    assert_eq!(
        history(HistoryQuery::back_to(time(575))),
        newest_first[..4],
        "58 to 60, and 57 that served then"
    );
    let page = HistoryQuery {
        below: Some(58),
        count_max: 2,
        ..HistoryQuery::default()
    };
    assert_eq!(history(page), newest_first[3..5]);
    assert_eq!(store.history(Ordinal(8), page), Ok(Vec::new()));
    assert_eq!(store.history_since(time(590)).as_deref(), Ok(&differences[58..]));

    let pruned = store.prune(time(300)).expect("prunes");
    let left = history(HistoryQuery::default());
    assert_eq!(pruned.versions as usize + left.len(), 60);
    assert_eq!(left, newest_first[..left.len()], "the younger ones stay, without a gap");
    assert!(left.len() >= 31);
    assert_eq!(
        store.load().as_ref(),
        Ok(&state),
        "what serves does not depend on what was pruned"
    );

    let batch = ChangeBatch {
        generation: 62,
        ordinal_next: 10,
        rolls_removed: vec![9],
        at: time(6_000),
        ..ChangeBatch::default()
    };
    store.store(batch).expect("stores");
    assert!(store.load().expect("loads").rolls.is_empty());
    let former = store.former_roll(group).expect("reads").expect("kept");
    assert_eq!(
        (&former.roll.entries, former.gone_at),
        (&state.rolls[0].entries, time(6_000))
    );
    assert_eq!(history(HistoryQuery::default()), left);
    store.prune(time(6_001)).expect("prunes");
    assert_eq!(store.former_roll(group), Ok(None));
    assert_eq!(history(HistoryQuery::default()), []);
    state
}

fn decision(reason: &str) -> Decision {
    Decision {
        by: "eva".into(),
        reason: reason.into(),
        at: time(7),
    }
}

fn hold() -> Hold {
    let (before, after) = (roll(9, 1, 0..100), roll(9, 2, 50..100));
    let change = change(Some(&before), &after);
    let settled = Standing::default().computed(&Arrival {
        served: Some(&before),
        before: Some(&before),
        after: &after,
        difference: change.difference.as_deref().expect("given"),
        guarding: Guarding::Guarded,
        limits: &GuardLimits::default(),
        now: time(20),
    });
    *settled.standing.hold.expect("half of them are gone")
}

fn suspicion(address: &str) -> SuspectChange {
    Suspects::default().suppress(&address.parse().expect("valid"), decision("bounces"))
}

fn everything() -> LifeBatch {
    let pin = Pin {
        object: Ordinal(3),
        action: PinAction::Include,
        reason: "holiday cover".into(),
        by: "eva".into(),
        since: time(1),
        until: Some(time(90)),
        listed: true,
    };
    let chosen = LocalDecision {
        chosen: Chosen::Members(vec!["id-3".into()]),
        decision: decision("frozen"),
        over: 12,
    };
    let cutover = Cutover {
        state: CutoverState::Here,
        decision: decision("agreed"),
        accepted_difference: false,
    };
    LifeBatch {
        gone: vec![gone()],
        attribute_changes: vec![attribute_change("Bonn")],
        pins: vec![(Ordinal(9), [pin].into_iter().collect::<Pins>())],
        holds: vec![(Ordinal(9), Some(hold()))],
        decisions: vec![(
            ObjectId::new("id-9"),
            LocalDecisions::default().deciding(chosen).switching(cutover),
        )],
        suspects: vec![suspicion("a@x.example"), suspicion("b@x.example")],
        audit: vec![deed("pin", 1), deed("guard-accept", 2)],
    }
}

fn gone() -> GoneRow {
    GoneRow {
        ordinal: Ordinal(4),
        id: ObjectId::new("id-4"),
        address: "jonas@contoso.example".to_owned(),
        name: "Jonas".to_owned(),
        at: time(50),
    }
}

fn attribute_change(after: &str) -> AttributeChange {
    AttributeChange {
        ordinal: Ordinal(3),
        attribute: Attribute::Office,
        at: time(60),
        before: None,
        after: Some(after.into()),
        source: SourceId::new("hr"),
    }
}

fn deed(what: &str, second: i64) -> AuditEntry {
    AuditEntry {
        at: time(second),
        what: what.to_owned(),
        subject: "berlin@contoso.example".to_owned(),
        by: "eva".to_owned(),
        reason: "because".to_owned(),
        detail: String::new(),
    }
}

/// Pins, holds, decisions, suspects and deeds come back, and go when they end; returns what is left.
pub(crate) fn check_life(store: &dyn DirectoryStore) -> LifeState {
    let life = everything();
    let batch = ChangeBatch {
        generation: 1,
        ordinal_next: 10,
        life: life.clone(),
        ..ChangeBatch::default()
    };
    store.store(batch).expect("stores");
    let mut expected = LifeState {
        pins: life.pins.clone(),
        holds: vec![hold()],
        decisions: life.decisions.clone(),
        suspects: life.suspects.iter().filter_map(|each| each.suspicion.clone()).collect(),
    };
    let state = store.load().expect("loads");
    assert_eq!((&state.life, &state.damaged), (&expected, &Vec::new()));

    let mut rejected = hold();
    rejected.rejected = Some(decision("wrong export"));
    let further = LifeBatch {
        attribute_changes: vec![attribute_change("Köln")],
        pins: vec![(Ordinal(9), Pins::default())],
        holds: vec![(Ordinal(9), Some(rejected.clone()))],
        decisions: vec![(ObjectId::new("id-9"), LocalDecisions::default())],
        suspects: vec![SuspectChange {
            suspicion: None,
            ..suspicion("a@x.example")
        }],
        audit: vec![deed("unpin", 3)],
        ..LifeBatch::default()
    };
    store.keep(further).expect("keeps");
    expected.pins.clear();
    expected.decisions.clear();
    expected.holds = vec![rejected];
    expected.suspects.remove(0);
    assert_eq!(store.load().expect("loads").life, expected);
    assert_eq!(store.gone(&[Ordinal(1), Ordinal(4)]), Ok(vec![gone()]));
    assert_eq!(store.attribute_changes(Ordinal(3)), Ok(vec![attribute_change("Köln")]));
    assert_eq!(store.attribute_changes(Ordinal(4)), Ok(Vec::new()));
    let deeds = vec![deed("unpin", 3), deed("guard-accept", 2)];
    assert_eq!(store.audit(Some("berlin@contoso.example"), 2), Ok(deeds));
    assert_eq!(store.audit(Some("bonn@contoso.example"), 2), Ok(Vec::new()));
    assert_eq!(store.audit(None, usize::MAX).map(|all| all.len()), Ok(3));
    let pruned = store.prune(time(55)).expect("prunes");
    assert_eq!(pruned.others, 4, "three deeds and one who is gone");
    assert_eq!(store.attribute_changes(Ordinal(3)).map(|all| all.len()), Ok(1));
    expected
}
