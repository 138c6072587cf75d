//! Bounds and cost.

use super::support::{Hops, ask, internal, run, to, view};
use crate::directory::testing::{ObjectBuilder, group, person};
use crate::expansion::{Limits, expand};
use crate::policy::testing::rules;
use crate::track::Reason;

#[test]
fn a_lattice_with_two_to_the_24_paths_is_walked_once() {
    let name = |layer: usize, side: usize| format!("l{layer}s{side}@contoso.example");
    let mut objects: Vec<ObjectBuilder> = Vec::new();
    for layer in 0..25 {
        for side in 0..2 {
            let below = [name(layer + 1, 0), name(layer + 1, 1)];
            let members = if layer == 24 {
                vec!["lena@contoso.example"]
            } else {
                below.iter().map(String::as_str).collect()
            };
            objects.push(group(&name(layer, side)).members(&members));
        }
    }
    objects.push(person("lena@contoso.example"));
    let view = view(objects);
    let (sender, recipients) = (
        internal("lena@contoso.example"),
        to(&["l0s0@contoso.example", "l0s1@contoso.example"]),
    );
    let expansion = run(&ask(&sender, &recipients), &view, &rules());
    assert_eq!(expansion.recipients(), 1);
    assert!(expansion.steps <= 2 + 4 * 24, "{} steps", expansion.steps);
}

#[test]
fn the_closure_of_a_lattice_in_a_list_is_walked_once_too() {
    let name = |layer: usize, side: usize| format!("l{layer}s{side}@contoso.example");
    let mut objects = vec![
        group("g@contoso.example")
            .members(&["lena@contoso.example"])
            .accept_from(&["l0s0@contoso.example"]),
    ];
    for layer in 0..25 {
        for side in 0..2 {
            let below = [name((layer + 1) % 25, 0), name((layer + 1) % 25, 1)];
            let mut members: Vec<&str> = below.iter().map(String::as_str).collect();
            if (layer, side) == (24, 1) {
                members.push("lena@contoso.example");
            }
            objects.push(group(&name(layer, side)).members(&members));
        }
    }
    objects.push(person("lena@contoso.example"));
    let view = view(objects);
    let (sender, recipients) = (internal("lena@contoso.example"), to(&["g@contoso.example"]));
    assert_eq!(run(&ask(&sender, &recipients), &view, &rules()).recipients(), 1);
}

#[test]
fn beyond_a_bound_the_whole_is_refused_and_nobody_gets_a_copy() {
    let chain = |length: usize| {
        let name = |number: usize| format!("g{number}@contoso.example");
        let mut objects: Vec<ObjectBuilder> = (0..length)
            .map(|number| {
                let below = name(number + 1);
                let members = if number + 1 == length {
                    vec!["lena@contoso.example"]
                } else {
                    vec![below.as_str(), "jonas@contoso.example"]
                };
                group(&name(number)).members(&members)
            })
            .collect();
        objects.push(person("lena@contoso.example"));
        objects.push(person("jonas@contoso.example"));
        view(objects)
    };
    let sender = internal("lena@contoso.example");
    for (groups, recipients_max, halted) in [
        (99, 10, None),
        (100, 10, None),
        (101, 10, Some(Reason::TooDeep)),
        (3, 2, None),
        (3, 1, Some(Reason::TooManyRecipients)),
    ] {
        let limits = Limits {
            depth_max: 100,
            recipients_max,
        };
        let (view, recipients) = (chain(groups), to(&["g0@contoso.example"]));
        let expansion = expand(&ask(&sender, &recipients), &view, &rules(), &Hops, &limits);
        let reason = expansion.halt.as_ref().map(|halt| halt.refusal.reason);
        assert_eq!(reason, halted, "{groups} groups, at most {recipients_max}");
        assert_eq!(expansion.branches.is_empty(), halted.is_some());
        assert!(halted.is_none() || expansion.events.is_empty() && expansion.holds.is_empty());
    }
}

#[test]
fn a_recipient_without_a_route_is_refused_alone() {
    let view = view([
        group("g@contoso.example")
            .open_to_outside()
            .members(&["x@nowhere.example", "lena@contoso.example"]),
        person("lena@contoso.example"),
    ]);
    let (sender, recipients) = (internal("lena@contoso.example"), to(&["g@contoso.example"]));
    let expansion = run(&ask(&sender, &recipients), &view, &rules());
    assert_eq!(expansion.recipients(), 1);
    assert_eq!(expansion.refused[0].refusal.reason, Reason::NoRoute);
}

#[test]
fn plain_members_are_not_walked_one_by_one() {
    let mut objects: Vec<ObjectBuilder> = (0..5_000)
        .map(|number| person(&format!("p{number}@contoso.example")))
        .collect();
    let names: Vec<String> = (0..5_000).map(|number| format!("p{number}@contoso.example")).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    objects.push(group("g@contoso.example").members(&members));
    objects.push(group("h@contoso.example").members(&members[..10]));
    let view = view(objects);
    let (sender, recipients) = (
        internal("p1@contoso.example"),
        to(&["h@contoso.example", "g@contoso.example"]),
    );
    let expansion = run(&ask(&sender, &recipients), &view, &rules());
    assert_eq!((expansion.recipients(), expansion.steps), (5_000, 2));
    assert_eq!(expansion.judged[1].tally.duplicates, 10);
}

/// Prints the cost per plain recipient: `cargo test --release --lib -- --ignored --nocapture cost_of`.
#[test]
#[ignore = "prints a measurement"]
fn cost_of_a_group_of_100_000() {
    let count = 100_000;
    let names: Vec<String> = (0..count).map(|number| format!("p{number}@contoso.example")).collect();
    let mut objects: Vec<ObjectBuilder> = names.iter().map(|name| person(name)).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    objects.push(group("g@contoso.example").members(&members));
    let view = view(objects);
    let (sender, recipients) = (internal("p1@contoso.example"), to(&["g@contoso.example"]));
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let expansion = run(&ask(&sender, &recipients), &view, &rules());
        let spent = start.elapsed();
        println!(
            "{} recipients in {spent:?}: {:?} each",
            expansion.recipients(),
            spent / count
        );
    }
}
