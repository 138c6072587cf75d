//! How objects are stored must not show: packed rows, stored records, columns, generations made in many steps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::attribute::Attribute;
use super::change::{ChangeSet, OrdinalSource};
use super::delivery::DeliverySettings;
use super::facts::Facts;
use super::generation::Directory;
use super::generation::image::{Assembly, Piece};
use super::group::GroupSettings;
use super::index::{Lookup, Ordinal, names_of};
use super::kind::RecipientKind;
use super::recipient::{Location, ObjectId, ObjectState, ProxyAddress, RecipientObject, SourceId};
use super::record::{Record, write_stored};
use super::stored;
use super::testing::{self, CountingOrdinals};
use super::value::{Value, ValueRef, ValueType};
use crate::mail::address::Mailbox;

const TEXTS: &[&str] = &[
    "Sales",
    "Sales ",
    " Sales",
    "sales",
    "Zürich",
    "東京",
    "DE",
    "Germany",
    "276",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "3F2504E0-4F89-11D3-9A0C-0305E82C3301",
    "3F2504e0-4F89-11D3-9A0C-0305E82C3301",
    "/o=Contoso/cn=x",
    "CN=Boss,OU=Sales,DC=contoso,DC=example",
];

const DNS: &[&str] = &[
    "CN=Lena,OU=Sales,DC=contoso,DC=example",
    "cn=lena, OU=Sales,DC=contoso,DC=example",
    r"CN=Miller\, Lena,OU=Sales,DC=contoso,DC=example",
    "CN=a/b,OU=Sales,DC=contoso,DC=example",
    "CN=Omar,OU=Sales,DC=contoso,DC=example",
    " CN=Omar,OU=Sales,DC=contoso,DC=example ",
    "DC=contoso,DC=example",
    "CN=alone",
    "CN=Lena,OU=Sales,O=contoso",
    "CN=,DC=x",
    "no dn at all, really",
    "",
];

const MAILBOXES: &[&str] = &[
    "lena@contoso.example",
    "LENA@Contoso.Example",
    "omar@contoso.example",
    "\"two words\"@contoso.example",
    "\"omar\"@contoso.example",
    "grüße@bücher.example",
    "x@outside.example",
    "y@[192.0.2.1]",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(TEXTS).prop_map(str::to_owned),
        1 => "\\PC{1,12}",
        1 => Just("long ".repeat(60)),
    ]
}

fn value_of(attribute: Attribute) -> BoxedStrategy<Value> {
    match attribute.value_type() {
        ValueType::Text | ValueType::Address | ValueType::Country | ValueType::Dn | ValueType::Guid => {
            text().prop_map(|text| Value::Text(text.into())).boxed()
        }
        ValueType::Texts | ValueType::Addresses | ValueType::Dns => prop::collection::vec(text(), 1..3)
            .prop_map(|texts| Value::Texts(texts.into_iter().map(Into::into).collect()))
            .boxed(),
        ValueType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        ValueType::Integer | ValueType::Enumeration(_) | ValueType::Flags(_) => {
            prop_oneof![Just(0), Just(276), Just(514), any::<i64>()]
                .prop_map(Value::Integer)
                .boxed()
        }
        ValueType::Size => prop_oneof![Just(u64::MAX), any::<u64>()].prop_map(Value::Size).boxed(),
        ValueType::Time => (-1_000_000_000_i64..4_000_000_000, 0..2_i32)
            .prop_map(|(second, nano)| Value::Time(Timestamp::new(second, nano).expect("in range")))
            .boxed(),
    }
}

fn attributes() -> impl Strategy<Value = BTreeMap<Attribute, Value>> {
    let one = prop::sample::select(Attribute::ALL).prop_flat_map(|attribute| (Just(attribute), value_of(attribute)));
    prop::collection::vec(one, 0..8).prop_map(|list| list.into_iter().collect())
}

fn proxy() -> impl Strategy<Value = ProxyAddress> {
    prop_oneof![
        prop::sample::select(MAILBOXES).prop_map(|text| ProxyAddress::Smtp(text.parse().expect("valid"))),
        text().prop_map(|text| ProxyAddress::X500(text.into())),
        text().prop_map(|text| ProxyAddress::Other(format!("sip:{text}").into())),
    ]
}

prop_compose! {
    fn names()(
        alias in prop::option::of(prop_oneof![Just(String::new()), text()]),
        display_name in prop::option::of(text()),
        legacy_dn in prop::option::of(text()),
        dn in prop::option::of(prop::sample::select(DNS)),
        container in prop::option::of(prop::sample::select(&["contoso.example/Sales", "OU=Sales,DC=contoso,DC=example"][..])),
        target in prop::option::of(prop::sample::select(MAILBOXES)),
    ) -> RecipientObject {
        let mut object = bare();
        object.alias = alias.map(Into::into);
        object.display_name = display_name.map(Into::into);
        object.legacy_dn = legacy_dn.map(Into::into);
        object.distinguished_name = dn.map(Into::into);
        object.container = container.map(Into::into);
        object.target_address = target.map(|text| text.parse().expect("valid"));
        object
    }
}

fn bare() -> RecipientObject {
    let primary: Mailbox = "a@x.example".parse().expect("valid");
    RecipientObject::new(
        ObjectId::new(""),
        RecipientKind::UserMailbox,
        SourceId::new("files"),
        primary,
    )
}

prop_compose! {
    /// An object with one of sixteen ids.
    fn object()(
        mut object in names(),
        id in 0..16_u32,
        guid in any::<bool>(),
        kind in prop_oneof![
            2 => Just(RecipientKind::UserMailbox),
            1 => Just(RecipientKind::RemoteUserMailbox),
            3 => prop::sample::select(RecipientKind::ALL),
        ],
        source in prop::sample::select(&["files", "graph"][..]),
        primary in prop::sample::select(MAILBOXES),
        location in prop::sample::select(&[Location::Cloud, Location::OnPremises, Location::External][..]),
        state in prop_oneof![
            4 => Just(ObjectState::Enabled), 1 => Just(ObjectState::Disabled), 1 => Just(ObjectState::Deleted)
        ],
        proxies in prop::collection::vec(proxy(), 0..3),
        attributes in attributes(),
        settings in 0..8_u8,
    ) -> RecipientObject {
        object.id = ObjectId::new(if guid {
            format!("00000000-0000-0000-0000-0000000000{id:02}")
        } else {
            format!("id-{id}")
        });
        object.kind = kind;
        object.source = SourceId::new(source);
        object.primary = primary.parse().expect("valid");
        object.location = location;
        object.state = state;
        object.proxies = proxies.into();
        for (attribute, value) in attributes {
            object.attributes.set(attribute, Some(value));
        }
        if settings == 0 || kind.is_dynamic() {
            let delivery = DeliverySettings { require_sender_authentication: Some(true), ..DeliverySettings::default() };
            object.delivery = Some(Box::new(delivery));
        }
        if settings == 1 || kind.is_group() {
            object.group = Some(Box::new(GroupSettings { report_to_owner: true, ..GroupSettings::default() }));
        }
        object
    }
}

/// What every column must say, by asking every row.
fn check_columns(directory: &Directory) -> Result<(), TestCaseError> {
    for attribute in Attribute::ALL.iter().copied() {
        let column = directory.column(attribute);
        let mut said: BTreeMap<u32, ValueRef<'_>> = BTreeMap::new();
        for (value, rows) in column.coded() {
            for row in rows.iter() {
                prop_assert!(
                    said.insert(row, value.clone()).is_none(),
                    "{} twice at {}",
                    attribute,
                    row
                );
                prop_assert!(!column.inline().contains(row));
            }
        }
        prop_assert!(column.inline().is_subset(directory.live()));
        for (ordinal, row) in directory.rows() {
            let expected = row.value(attribute);
            match said.remove(&ordinal.0) {
                Some(value) => prop_assert_eq!(value, expected, "{} of {:?}", attribute, row),
                None if column.inline().contains(ordinal.0) => {}
                None => prop_assert_eq!(ValueRef::Absent, expected, "{} of {:?}", attribute, row),
            }
        }
        prop_assert!(said.is_empty(), "{} for rows that are not live", attribute);
    }
    Ok(())
}

fn check_rows(directory: &Directory, model: &BTreeMap<ObjectId, RecipientObject>) -> Result<(), TestCaseError> {
    let mut candidates = RoaringBitmap::new();
    let live: Vec<_> = model.values().filter(|object| object.is_live()).collect();
    prop_assert_eq!(directory.len(), live.len() as u64);
    for object in live {
        let ordinal = directory.ordinal_of(&object.id).expect("it is live");
        let row = directory.row(ordinal).expect("it is live");
        prop_assert_eq!(&*row.object(), object);
        prop_assert_eq!(row.kind(), object.kind);
        prop_assert_eq!(row.state(), object.state);
        prop_assert_eq!(row.source(), &object.source);
        prop_assert_eq!(row.id(), object.id.as_str());
        prop_assert_eq!(row.name(), object.name());
        prop_assert_eq!(row.final_address(), object.final_address().clone());
        prop_assert_eq!(row.container(), object.container.as_deref());
        prop_assert_eq!(row.needs_no_judgement(), object.needs_no_judgement());
        for attribute in Attribute::ALL.iter().copied() {
            prop_assert_eq!(row.value(attribute), object.value(attribute), "{}", attribute);
        }
        if object.is_candidate() {
            candidates.insert(ordinal.0);
        }
        for mailbox in object.mailboxes() {
            prop_assert!(holds(&directory.lookup(&mailbox.key()), ordinal));
        }
        prop_assert!(holds(&directory.lookup_final(&object.final_address().key()), ordinal));
        prop_assert_eq!(directory.group(ordinal).is_some(), object.kind.is_group());
    }
    prop_assert_eq!(directory.candidates(), &candidates);
    Ok(())
}

fn holds(found: &Lookup, ordinal: Ordinal) -> bool {
    match found {
        Lookup::None => false,
        Lookup::One(one) => *one == ordinal,
        Lookup::Ambiguous(several) => several.contains(&ordinal),
    }
}

/// Each container's rows, and who is asked.
fn places(directory: &Directory) -> Vec<(String, Vec<u32>)> {
    let containers = directory.containers();
    let mut all: Vec<(String, Vec<u32>)> = containers
        .coded()
        .map(|(container, rows)| (format!("{container:?}"), rows.iter().collect()))
        .collect();
    all.sort();
    all.push(("asked".to_owned(), containers.inline().iter().collect()));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_stored_record_reads_back(object in object()) {
        let facts = Facts::of(&object);
        let mut octets = Vec::new();
        write_stored(&facts, &mut octets);
        let read = Record::stored(&octets).facts();
        prop_assert_eq!(read.as_ref(), Some(&facts));
        let mut plain = object.clone();
        plain.delivery = None;
        plain.group = None;
        prop_assert_eq!(read.expect("read").to_object(), plain);
        for end in 0..octets.len() {
            prop_assert!(Record::stored(octets.get(..end).expect("within")).facts().is_none(), "cut at {}", end);
        }
    }

    #[test]
    fn changes_lead_to_the_same_directory_as_a_first_load(
        rounds in prop::collection::vec((prop::collection::vec(object(), 0..6), prop::collection::vec(0..16_u32, 0..2)), 1..5),
    ) {
        let mut ordinals = CountingOrdinals::default();
        let mut directory = Directory::empty();
        let mut model: BTreeMap<ObjectId, RecipientObject> = BTreeMap::new();
        for (number, (upserts, removals)) in (1_u64..).zip(rounds) {
            let mut unique: BTreeMap<ObjectId, RecipientObject> = BTreeMap::new();
            for object in &upserts {
                unique.entry(object.id.clone()).or_insert_with(|| object.clone());
            }
            for id in &removals {
                model.remove(&ObjectId::new(format!("id-{id}")));
            }
            model.extend(unique);
            let removals = removals.iter().map(|id| ObjectId::new(format!("id-{id}"))).collect();
            let before = directory.clone();
            let changes = ChangeSet { upserts, removals };
            directory = directory.apply(changes, &mut ordinals, number, Timestamp::UNIX_EPOCH).0;
            check_rows(&directory, &model)?;
            check_columns(&directory)?;
            check_columns(&before)?;
            check_image(&before, &directory, &model, &mut ordinals)?;
        }
        let changes = ChangeSet { upserts: model.values().cloned().collect(), removals: Vec::new() };
        let again = Directory::empty().apply(changes, &mut ordinals, 9, Timestamp::UNIX_EPOCH).0;
        check_same(&again, &directory, &model)?;
        let mut stored: Vec<(Ordinal, Vec<u8>)> =
            model.values().map(|object| (ordinals.ordinal(&object.id), stored::encode(object))).collect();
        stored.sort();
        let (loaded, unreadable) = Directory::load(9, Timestamp::UNIX_EPOCH, |feed| {
            stored.iter().for_each(|(ordinal, octets)| feed.stored(*ordinal, octets));
            Ok::<(), ()>(())
        }).expect("fed");
        prop_assert_eq!(unreadable, Vec::new());
        check_rows(&loaded, &model)?;
        check_columns(&loaded)?;
        check_same(&loaded, &directory, &model)?;
    }

    #[test]
    fn a_stored_object_reads_back(object in object()) {
        let octets = stored::encode(&object);
        prop_assert_eq!(stored::decode(&octets), Ok(object.clone()));
        let mut json = vec![stored::FORM_JSON];
        serde_json::to_writer(&mut json, &object).expect("writes");
        if let Ok(read) = serde_json::from_slice::<RecipientObject>(json.get(1..).expect("more")) {
            prop_assert_eq!(stored::decode(&json), Ok(read));
        }
    }

    #[test]
    fn damaged_octets_are_no_object(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut formed = vec![2];
        formed.extend_from_slice(&octets);
        // Nearly all fail; none may panic.
        let _ = (stored::decode(&octets), stored::decode(&formed));
    }
}

/// An image of the generation before, read in another order and caught up with what changed, is this one.
fn check_image(
    before: &Directory,
    directory: &Directory,
    model: &BTreeMap<ObjectId, RecipientObject>,
    ordinals: &mut CountingOrdinals,
) -> Result<(), TestCaseError> {
    let mut pieces = Vec::new();
    let kept: Result<(), ()> = before.each_piece(|piece| {
        pieces.push(piece.to_vec());
        Ok(())
    });
    prop_assert_eq!(kept, Ok(()));
    let mut assembly = Assembly::default();
    for piece in pieces.iter().rev() {
        prop_assert!(piece.get(..piece.len() - 1).and_then(Piece::read).is_none());
        assembly.take(Piece::read(piece).expect("sound"));
    }
    let image = assembly.finish(Timestamp::UNIX_EPOCH).expect("complete");
    prop_assert_eq!(image.number(), before.number());
    check_columns(&image)?;
    let differs = |(ordinal, object): &(Ordinal, RecipientObject)| {
        image.recipient(*ordinal).is_none_or(|known| *known != *object)
    };
    let now: Vec<(Ordinal, RecipientObject)> = model
        .values()
        .map(|object| (ordinals.ordinal(&object.id), object.clone()))
        .filter(differs)
        .collect();
    let gone: Vec<Ordinal> = before
        .recipients()
        .filter(|(_, object)| !model.contains_key(&object.id))
        .map(|(ordinal, _)| ordinal)
        .collect();
    let caught_up = image.caught_up(now, &gone, directory.number(), Timestamp::UNIX_EPOCH);
    check_rows(&caught_up, model)?;
    check_columns(&caught_up)?;
    check_same(&caught_up, directory, model)
}

/// What an image says may change with its number only; then this test says the new sum.
#[test]
fn the_layout_has_a_number() {
    let mut ordinals = CountingOrdinals::default();
    let boss = testing::person("boss@contoso.example").build();
    let upserts = vec![
        boss,
        testing::contact("omar@contoso.example", "omar@outside.example").build(),
        testing::dynamic_group("all@contoso.example", "Department -eq 'Sales'").build(),
    ];
    let changes = ChangeSet {
        upserts,
        removals: Vec::new(),
    };
    let directory = Directory::empty()
        .apply(changes, &mut ordinals, 1, Timestamp::UNIX_EPOCH)
        .0;
    let mut sum = crc32fast::Hasher::new();
    let summed: Result<(), ()> = directory.each_piece(|piece| {
        sum.update(piece);
        Ok(())
    });
    assert_eq!(summed, Ok(()));
    assert_eq!(
        sum.finalize(),
        402_115_417,
        "raise FORMAT in generation/image.rs with this sum"
    );
}

fn check_same(
    again: &Directory,
    directory: &Directory,
    model: &BTreeMap<ObjectId, RecipientObject>,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(again.live(), directory.live());
    prop_assert_eq!(again.plain(), directory.plain());
    prop_assert_eq!(again.group_set(), directory.group_set());
    prop_assert_eq!(places(again), places(directory));
    for object in model.values() {
        for name in names_of(object) {
            prop_assert_eq!(
                again.lookup_reference(&name),
                directory.lookup_reference(&name),
                "{}",
                name
            );
        }
    }
    Ok(())
}
