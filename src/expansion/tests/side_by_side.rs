//! Groups that are not cut over go whole to the service before, after our own rules.

use std::sync::Arc;

use super::support::{Hops, ask, external, internal, mailbox, reached, refused, to, view};
use crate::directory::testing::{group, person};
use crate::expansion::{Expansion, HopId, Limits, Place, Request, Router, Verdict, expand};
use crate::mail::Mailbox;
use crate::policy::Fact;
use crate::policy::testing::rules;
use crate::rolls::View;
use crate::track::Reason;

/// As [`Hops`], and the service before is hop 9.
struct Beside;

impl Router for Beside {
    fn next_hop(&self, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
        Hops.next_hop(place, final_address)
    }

    fn side_by_side(&self, _: &Mailbox) -> Option<HopId> {
        Some(HopId(9))
    }
}

fn run(request: &Request<'_>, view: &View) -> Expansion {
    expand(request, view, &rules(), &Beside, &Limits::default())
}

/// `all` holds Lena, the group `inner` and a secret group; `inner` holds Jonas and Lena.
fn organisation(switched: &[u32]) -> View {
    let mut view = view([
        group("all@contoso.example").members(&["lena@contoso.example", "inner@contoso.example"]),
        group("inner@contoso.example").members(&["jonas@contoso.example", "lena@contoso.example"]),
        person("lena@contoso.example"),
        person("jonas@contoso.example"),
        group("closed@contoso.example")
            .members(&["lena@contoso.example"])
            .internal_only(),
    ]);
    view.switched = Arc::new(switched.iter().copied().collect());
    view
}

fn hop_of(expansion: &Expansion, address: &str) -> Option<HopId> {
    let mut recipients = expansion.branches.iter().flat_map(|branch| &branch.recipients);
    recipients
        .find(|recipient| recipient.final_address == mailbox(address))
        .map(|recipient| recipient.hop)
}

#[test]
fn a_group_that_is_not_cut_over_is_one_copy_to_its_own_address() {
    let (sender, recipients) = (internal("hr@contoso.example"), to(&["all@contoso.example"]));
    let found = run(&ask(&sender, &recipients), &organisation(&[]));
    assert_eq!(reached(&found), ["all@contoso.example"]);
    assert_eq!(hop_of(&found, "all@contoso.example"), Some(HopId(9)));
    let recipient = &found.branches[0].recipients[0];
    assert_eq!(recipient.ordinal, None, "a later attempt asks no route of today");
    assert!(found.explanations[0].facts.contains(&Fact::ExpandedBefore));
    let marked = found.judged[0].expanded.as_ref().map(|id| id.as_str());
    assert_eq!(
        marked,
        Some("id:all@contoso.example"),
        "a copy that comes back is a loop"
    );
}

#[test]
fn a_group_that_is_cut_over_is_expanded_and_nested_ones_decide_for_themselves() {
    let (sender, recipients) = (internal("hr@contoso.example"), to(&["all@contoso.example"]));
    let found = run(&ask(&sender, &recipients), &organisation(&[0]));
    assert_eq!(reached(&found), ["inner@contoso.example", "lena@contoso.example"]);
    assert_eq!(hop_of(&found, "inner@contoso.example"), Some(HopId(9)));
    assert_eq!(hop_of(&found, "lena@contoso.example"), Some(HopId(1)));
    let both = run(&ask(&sender, &recipients), &organisation(&[0, 1]));
    assert_eq!(reached(&both), ["jonas@contoso.example", "lena@contoso.example"]);
}

#[test]
fn two_ways_to_it_are_one_copy() {
    let (sender, recipients) = (
        internal("hr@contoso.example"),
        to(&["inner@contoso.example", "all@contoso.example"]),
    );
    let found = run(&ask(&sender, &recipients), &organisation(&[0]));
    assert_eq!(reached(&found), ["inner@contoso.example", "lena@contoso.example"]);
}

#[test]
fn our_rules_are_asked_first() {
    let (sender, recipients) = (external("x@outside.example"), to(&["closed@contoso.example"]));
    let found = run(&ask(&sender, &recipients), &organisation(&[]));
    assert_eq!(reached(&found), [""; 0]);
    assert!(
        matches!(found.judged[0].verdict, Verdict::Refused(_)),
        "{:?}",
        refused(&found)
    );
}

#[test]
fn without_the_setting_every_group_is_expanded() {
    let (sender, recipients) = (internal("hr@contoso.example"), to(&["all@contoso.example"]));
    let found = expand(
        &ask(&sender, &recipients),
        &organisation(&[]),
        &rules(),
        &Hops,
        &Limits::default(),
    );
    assert_eq!(reached(&found), ["jonas@contoso.example", "lena@contoso.example"]);
}
