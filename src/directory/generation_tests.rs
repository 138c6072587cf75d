//! Generations: who is found, what is shared, what is noticed.

use super::*;
use crate::directory::change::{MissingFact, Setting};
use crate::directory::index::SHARDS;
use crate::directory::testing::{
    CountingOrdinals, ObjectBuilder, contact, directory, directory_with_findings, group, person,
};

fn key(address: &str) -> AddressKey {
    Mailbox::parse(address).expect("a mailbox").key()
}

fn later(base: &Directory, changes: ChangeSet, ordinals: &mut CountingOrdinals) -> (Directory, Vec<Finding>) {
    base.apply(changes, ordinals, base.number() + 1, Timestamp::UNIX_EPOCH)
}

fn first(objects: Vec<ObjectBuilder>) -> (Directory, CountingOrdinals) {
    let mut ordinals = CountingOrdinals::default();
    let upserts = objects.into_iter().map(ObjectBuilder::build).collect();
    let changes = ChangeSet {
        upserts,
        removals: Vec::new(),
    };
    let (made, _) = Directory::empty().apply(changes, &mut ordinals, 1, Timestamp::UNIX_EPOCH);
    (made, ordinals)
}

#[test]
fn every_name_of_an_object_leads_to_it() {
    let lena = person("lena@contoso.example")
        .proxy("smtp:l.meyer@contoso.example")
        .proxy("X500:/o=Old/ou=Site/cn=Recipients/cn=lena")
        .legacy_dn("/o=Contoso/ou=Site/cn=Recipients/cn=lena")
        .dn("CN=Lena Meyer,OU=Sales,DC=contoso,DC=example")
        .id("3F2504E0-4F89-11D3-9A0C-0305E82C3301");
    let made = directory([lena, person("omar@contoso.example")]);
    for reference in [
        "LENA@Contoso.Example",
        "SMTP:lena@contoso.example",
        "l.meyer@contoso.example",
        "/O=OLD/ou=site/cn=recipients/cn=Lena",
        "/o=contoso/ou=site/cn=recipients/cn=lena",
        "x500:/o=Old/ou=Site/cn=Recipients/cn=lena",
        "cn=lena meyer, ou=sales, dc=contoso, dc=example",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "contoso.example/Sales/Lena Meyer",
        "lena",
        "Lena Meyer",
    ] {
        assert_eq!(made.lookup_reference(reference), Lookup::One(Ordinal(0)), "{reference}");
    }
    for reference in [
        "",
        "nobody",
        "nobody@contoso.example",
        "CN=Nobody,DC=contoso,DC=example",
        "/o=Old",
    ] {
        assert_eq!(made.lookup_reference(reference), Lookup::None, "{reference}");
    }
}

#[test]
fn two_objects_with_one_address_are_ambiguous_until_one_gives_it_up() {
    let (made, mut ordinals) = first(vec![
        person("a@x.example").proxy("shared@x.example"),
        person("b@x.example"),
    ]);
    let b = person("b@x.example").proxy("Shared@x.example").build();
    let (doubtful, findings) = later(&made, ChangeSet::upsert(b), &mut ordinals);
    assert_eq!(
        doubtful.lookup(&key("shared@x.example")),
        Lookup::Ambiguous(vec![Ordinal(0), Ordinal(1)])
    );
    assert!(
        matches!(findings.as_slice(), [Finding::AmbiguousAddress { address, objects }]
        if address == "shared@x.example" && objects.len() == 2)
    );
    let (clear, findings) = later(
        &doubtful,
        ChangeSet::upsert(person("a@x.example").build()),
        &mut ordinals,
    );
    assert_eq!(clear.lookup(&key("shared@x.example")), Lookup::One(Ordinal(1)));
    assert_eq!(findings, []);
    // The old generation still says what it said.
    assert_eq!(made.lookup(&key("shared@x.example")), Lookup::One(Ordinal(0)));
}

#[test]
fn what_is_gone_leaves_a_name_and_never_its_ordinal() {
    let (made, mut ordinals) = first(vec![person("a@x.example").display_name("Anna"), person("b@x.example")]);
    let (without, findings) = later(&made, ChangeSet::remove(ObjectId::new("id:a@x.example")), &mut ordinals);
    assert_eq!(findings, []);
    assert_eq!(without.lookup(&key("a@x.example")), Lookup::None);
    assert!(without.recipient(Ordinal(0)).is_none());
    assert_eq!(without.tombstone(Ordinal(0)).map(|gone| &*gone.name), Some("Anna"));
    assert_eq!(without.live().iter().collect::<Vec<_>>(), [1]);
    let (again, _) = later(
        &without,
        ChangeSet::upsert(person("c@x.example").build()),
        &mut ordinals,
    );
    assert_eq!(again.lookup(&key("c@x.example")), Lookup::One(Ordinal(2)));
    let (_, findings) = later(
        &again,
        ChangeSet::remove(ObjectId::new("id:a@x.example")),
        &mut ordinals,
    );
    assert!(matches!(findings.as_slice(), [Finding::UnknownRemoval { .. }]));
}

#[test]
fn a_soft_deleted_object_is_a_tombstone() {
    let made = directory([person("a@x.example").state(crate::directory::recipient::ObjectState::Deleted)]);
    assert!(made.is_empty());
    assert_eq!(made.lookup(&key("a@x.example")), Lookup::None);
    assert!(made.tombstone(Ordinal(0)).is_some());
}

#[test]
fn a_change_of_one_shares_all_others() {
    let people = (0..5_000).map(|n| person(&format!("p{n}@x.example"))).collect();
    let (made, mut ordinals) = first(people);
    let changed = person("p17@x.example")
        .department("Sales")
        .proxy("extra@x.example")
        .build();
    let (next, findings) = later(&made, ChangeSet::upsert(changed), &mut ordinals);
    assert_eq!(findings, []);
    let (blocks, shards) = next.shared_with(&made);
    assert_eq!(blocks, 5 * 32 - 1, "one row was written");
    assert_eq!(shards, SHARDS - 1, "one address was added");
    assert!(Arc::ptr_eq(&next.live, &made.live) && Arc::ptr_eq(&next.plain, &made.plain));
    assert_eq!(next.lookup(&key("extra@x.example")), Lookup::One(Ordinal(17)));
    assert_eq!(next.len(), 5_000);
}

#[test]
fn plain_means_no_judgement_needed() {
    let made = directory([
        person("plain@x.example"),
        person("restricted@x.example").reject_from(&["plain@x.example"]),
        person("forwards@x.example").forwarding_to("plain@x.example"),
        person("off@x.example").disabled(),
        group("group@x.example"),
        contact("c1@x.example", "same@outside.example"),
        contact("c2@x.example", "Same@outside.example"),
        contact("c3@x.example", "group@x.example"),
        contact("c4@x.example", "other@outside.example"),
    ]);
    assert_eq!(made.plain().iter().collect::<Vec<_>>(), [0, 8]);
    assert_eq!(made.group_set().iter().collect::<Vec<_>>(), [4]);
}

#[test]
fn plain_follows_the_company_at_an_address() {
    let (made, mut ordinals) = first(vec![contact("c1@x.example", "out@o.example")]);
    assert!(made.plain().contains(0));
    let twin = contact("c2@x.example", "out@o.example").build();
    let (twins, _) = later(&made, ChangeSet::upsert(twin), &mut ordinals);
    assert!(twins.plain().is_empty());
    let (alone, _) = later(
        &twins,
        ChangeSet::remove(ObjectId::new("id:c2@x.example")),
        &mut ordinals,
    );
    assert!(alone.plain().contains(0));
    // The target becomes an address of this directory: the contact leads on to it.
    let (inside, _) = later(
        &alone,
        ChangeSet::upsert(person("out@o.example").build()),
        &mut ordinals,
    );
    assert!(!inside.plain().contains(0));
}

#[test]
fn findings_name_what_is_wrong() {
    let (_, findings) = directory_with_findings([
        person("a@x.example"),
        person("a2@x.example").id("id:a@x.example"),
        group("g@x.example").members(&["a@x.example", "outside@o.example", "CN=Nobody,DC=x"]),
        ObjectBuilder::new(RecipientKind::MailContact, "c@x.example").alias(None),
        ObjectBuilder::new(RecipientKind::DynamicDistributionGroup, "d@x.example").with_group(|_| {}),
    ]);
    let expected = |finding: &Finding| findings.contains(finding);
    assert!(expected(&Finding::DuplicateId {
        id: ObjectId::new("id:a@x.example")
    }));
    assert!(expected(&Finding::ReferenceUnresolved {
        object: ObjectId::new("id:g@x.example"),
        setting: Setting::Members,
        reference: "CN=Nobody,DC=x".into(),
    }));
    for (id, fact) in [
        ("id:c@x.example", MissingFact::TargetAddress),
        ("id:c@x.example", MissingFact::Alias),
        ("id:d@x.example", MissingFact::Rule),
    ] {
        assert!(
            expected(&Finding::Missing {
                object: ObjectId::new(id),
                fact
            }),
            "{id} {fact}"
        );
    }
    assert_eq!(findings.len(), 5, "{findings:?}");
}

#[test]
fn references_bind_in_four_ways() {
    let made = directory([
        person("a@x.example"),
        person("b@x.example").alias(Some("twin")),
        person("c@x.example").alias(Some("twin")),
    ]);
    let bound = made.bind(&["a@x.example".into(), "o@o.example".into(), "who".into(), "twin".into()]);
    assert_eq!(bound.ordinals.iter().collect::<Vec<_>>(), [0]);
    assert_eq!(
        (bound.outside.len(), bound.unresolved.len(), bound.ambiguous.len()),
        (1, 1, 1)
    );
}

#[test]
fn an_object_survives_json() {
    let object = group("g@x.example")
        .members(&["a@x.example"])
        .internal_only()
        .moderated_by(&["boss@x.example"])
        .proxy("sip:g@x.example")
        .proxy("X500:/o=A/cn=g")
        .build();
    let text = serde_json::to_string(&object).expect("writes");
    let again: RecipientObject = serde_json::from_str(&text).expect("reads");
    assert_eq!(again, object);
}

use crate::directory::kind::RecipientKind;

#[test]
fn what_is_gone_is_remembered_by_address_and_id_until_it_comes_back() {
    let mut ordinals = CountingOrdinals::default();
    let lena = || person("lena@contoso.example").id("guid-1").build();
    let apply = |base: &Directory, changes, ordinals: &mut CountingOrdinals| {
        base.apply(changes, ordinals, base.number() + 1, Timestamp::UNIX_EPOCH)
            .0
    };
    let one = apply(&Directory::empty(), ChangeSet::upsert(lena()), &mut ordinals);
    assert_eq!(one.lookup_gone("lena@contoso.example"), None);
    let two = apply(&one, ChangeSet::remove(ObjectId::new("guid-1")), &mut ordinals);
    for name in ["Lena@contoso.example", "smtp:lena@contoso.example", "GUID-1"] {
        let tombstone = two.lookup_gone(name).expect("remembered");
        assert_eq!(&*tombstone.address, "lena@contoso.example", "{name}");
    }
    assert_eq!(two.lookup_gone("jonas@contoso.example"), None);
    let three = apply(&two, ChangeSet::upsert(lena()), &mut ordinals);
    assert_eq!(three.lookup_gone("lena@contoso.example"), None);
    assert_eq!(three.lookup_gone("guid-1"), None);
}
