//! How long it takes to find out whether a sender is in an accept list of 20 nested groups with 100,000 members.
//!
//! `cargo run --release --example restriction`. Out: one line of JSON. Warm: the list was asked before. First: the
//! first question after one of the groups got another member.

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster::directory::filter::EvaluationOptions;
use muster::directory::testing::{directory, group, person};
use muster::directory::{Ordinal, RecipientObject};
use muster::mail::{Mailbox, ReversePath};
use muster::policy::gate::{Asked, SenderFacts};
use muster::policy::{Rules, gate};
use muster::resolver::{AcceptedDomain, AcceptedDomains, DomainKind, Sender, Standing};
use muster::rolls::roll::Cause;
use muster::rolls::{RollEntry, RollTable, View, update};
use roaring::RoaringBitmap;

const GROUPS: usize = 20;
const MEMBERS: usize = 100_000;
const WARM: u32 = 200_000;
const FIRST: usize = 500;

fn main() {
    let (view, rules) = (organisation(), rules());
    for (name, from, list) in [
        ("member, 20 groups named", "p99999", "named"),
        ("stranger, 20 groups named", "stranger", "named"),
        ("member, 1 group around 19", "p99999", "around"),
        ("stranger, 1 group around 19", "stranger", "around"),
    ] {
        let target = view
            .directory
            .lookup_reference(&address(list))
            .one()
            .expect("it was made");
        let object = view.object(target).expect("it is live");
        let sender = Sender {
            reverse_path: ReversePath::Mailbox(Mailbox::parse(&address(from)).expect("valid")),
            standing: Standing::Internal {
                proof: muster::resolver::Proof::Network("bench".into()),
            },
        };
        black_box(judge(&object, &sender, &view, &rules));
        let begun = Instant::now();
        for _ in 0..WARM {
            black_box(judge(&object, &sender, &view, &rules));
        }
        let warm = begun.elapsed() / WARM;
        let mut first: Vec<Duration> = (0..FIRST)
            .map(|number| once(&object, &sender, &view, &rules, number))
            .collect();
        first.sort();
        println!(
            r#"{{"case":"{name}","groups":{GROUPS},"members":{MEMBERS},"warm_ns":{},"first_median_us":{},"first_p99_us":{}}}"#,
            warm.as_nanos(),
            first[FIRST / 2].as_micros(),
            first[FIRST * 99 / 100].as_micros(),
        );
    }
}

fn judge(object: &RecipientObject, sender: &Sender, view: &View, rules: &Rules) -> bool {
    let from = SenderFacts::of(sender, Some(1_000), view);
    gate::judge(object, Asked::Addressed, &from, view, rules, &mut Vec::new()).is_ok()
}

/// One question after a roll changed: a new table, as a change of the directory makes it.
fn once(object: &RecipientObject, sender: &Sender, view: &View, rules: &Rules, number: usize) -> Duration {
    let changed = view
        .directory
        .lookup_reference(&address(&format!("g{}", number % GROUPS)))
        .one()
        .expect("made");
    let mut roll = (**view.roll(changed).expect("it has a roll")).clone();
    roll.version += 1;
    let goes = std::iter::once(u32::try_from(number).expect("small")).collect();
    roll.entries.objects = roll.entries.objects.with(&RoaringBitmap::new(), &goes);
    let entry = RollEntry {
        roll: Some(roll.into()),
        attempt: None,
    };
    let later = View {
        rolls: view.rolls.with([(changed, Some(entry))]).into(),
        ..view.clone()
    };
    let begun = Instant::now();
    black_box(judge(object, sender, &later, rules));
    begun.elapsed()
}

fn address(name: &str) -> String {
    format!("{name}@contoso.example")
}

/// 100,000 persons, each in one of 20 groups; the groups are named in one list, and nested around each other in
/// another: g0 holds g1, g1 holds g2, and so on.
fn organisation() -> View {
    let people = (0..MEMBERS).map(|number| person(&address(&format!("p{number}"))));
    let groups = (0..GROUPS).map(|number| {
        let members =
            (number * MEMBERS / GROUPS..(number + 1) * MEMBERS / GROUPS).map(|each| address(&format!("p{each}")));
        let nested = (number + 1 < GROUPS).then(|| address(&format!("g{}", number + 1)));
        let all: Vec<String> = members.chain(nested).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        group(&address(&format!("g{number}"))).members(&all)
    });
    let every: Vec<String> = (0..GROUPS).map(|number| address(&format!("g{number}"))).collect();
    let every: Vec<&str> = every.iter().map(String::as_str).collect();
    let lists = [
        group("named@contoso.example")
            .members(&["p0@contoso.example"])
            .accept_from(&every),
        group("around@contoso.example")
            .members(&["p0@contoso.example"])
            .accept_from(&every[..1]),
        person("stranger@contoso.example"),
    ];
    let directory = directory(people.chain(groups).chain(lists));
    let groups: Vec<Ordinal> = directory.groups().map(|(group, _)| group).collect();
    let empty = View::new(directory, RollTable::default());
    let built = update::again(
        &empty,
        groups,
        &EvaluationOptions::default(),
        Cause::Created,
        Timestamp::UNIX_EPOCH,
    );
    View {
        rolls: built.rolls.into(),
        ..empty
    }
}

fn rules() -> Rules {
    let accepted = AcceptedDomains::new([AcceptedDomain {
        domain: muster::mail::Domain::parse("contoso.example").expect("valid"),
        kind: DomainKind::Authoritative,
        subdomains: false,
    }]);
    Rules::new(accepted, Mailbox::parse("lena@contoso.example").expect("valid"))
}
