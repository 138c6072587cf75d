//! What is written reads back as the same objects.

use std::time::Duration;

use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::{load, write};
use crate::directory::attribute::Attribute;
use crate::directory::delivery::{DeliverySettings, ModerationNotice, ModerationSettings, Reference};
use crate::directory::filter::precanned::{ConditionalCustomAttribute, IncludedRecipients, Precanned};
use crate::directory::group::{
    ComparisonProfile, DynamicRule, FilterLanguage, GroupSettings, GuardSettings, RefreshMode, RuleCondition,
    StaleAction, StormAction, StormSettings, Subscribers,
};
use crate::directory::kind::RecipientKind;
use crate::directory::recipient::{Location, ObjectId, ObjectState, ProxyAddress, RecipientObject, SourceId};
use crate::directory::value::{Value, ValueType};
use crate::mail::address::Mailbox;

/// A text no blank begins or ends.
fn word() -> impl Strategy<Value = String> {
    "[a-zA-ZäÜß,;'\"\\\\/=|{}<>&…@#0-9]([ -~äéß]{0,10}[a-zA-Z0-9.;|\"])?"
}

/// Any text that is not blank; blanks around it count.
fn text() -> impl Strategy<Value = String> {
    "[ ]{0,2}[a-zäÜß,;'\"0-9][ -~äé\n\t]{0,12}"
}

fn mailbox(prefix: &'static str) -> impl Strategy<Value = Mailbox> {
    "[a-z0-9][a-z0-9.']{0,6}[a-z0-9]".prop_filter_map("two dots", move |local| {
        Mailbox::parse(&format!("{prefix}{local}@contoso.example")).ok()
    })
}

fn references() -> impl Strategy<Value = Vec<Reference>> {
    vec(word().prop_map(Reference::from), 0..4)
}

fn proxy() -> impl Strategy<Value = ProxyAddress> {
    prop_oneof![
        mailbox("q").prop_map(ProxyAddress::Smtp),
        word().prop_map(|value| ProxyAddress::X500(value.into())),
        word().prop_map(|value| ProxyAddress::Other(format!("SIP:{value}").into())),
    ]
}

fn value(attribute: Attribute) -> BoxedStrategy<Value> {
    match attribute.value_type() {
        ValueType::Text => text().prop_map(|text| Value::Text(text.into())).boxed(),
        ValueType::Address | ValueType::Country | ValueType::Dn | ValueType::Guid => {
            word().prop_map(|text| Value::Text(text.into())).boxed()
        }
        ValueType::Texts | ValueType::Addresses | ValueType::Dns => vec(text(), 1..4)
            .prop_map(|texts| Value::Texts(texts.iter().map(|text| text.as_str().into()).collect()))
            .boxed(),
        ValueType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        ValueType::Integer | ValueType::Enumeration(_) | ValueType::Flags(_) => {
            any::<i64>().prop_map(Value::Integer).boxed()
        }
        ValueType::Size => any::<u64>().prop_map(Value::Size).boxed(),
        ValueType::Time => (0..2_000_000_000_i64)
            .prop_map(|second| Value::Time(Timestamp::from_second(second).expect("in range")))
            .boxed(),
    }
}

fn attributes() -> impl Strategy<Value = Vec<(Attribute, Value)>> {
    let held: Vec<Attribute> = Attribute::ALL.to_vec();
    let one = select(held).prop_flat_map(|attribute| value(attribute).prop_map(move |value| (attribute, value)));
    vec(one, 0..8)
}

fn moderation() -> impl Strategy<Value = Option<Box<ModerationSettings>>> {
    let notice = select(vec![
        ModerationNotice::Always,
        ModerationNotice::Internal,
        ModerationNotice::Never,
    ]);
    let ours = (
        of((1..1_000_000_u64).prop_map(std::time::Duration::from_secs)),
        of(1..9_u32),
        references(),
        of(select(vec!["en", "de"])),
    );
    (any::<bool>(), references(), references(), any::<bool>(), notice, ours).prop_map(
        |(enabled, moderators, bypass, bypass_nested, notify, (expiry, quorum, substitutes, language))| {
            let settings = ModerationSettings {
                enabled,
                moderators,
                bypass,
                bypass_nested,
                notify,
                expiry,
                quorum,
                substitutes,
                language: language.map(Box::from),
            };
            (settings != ModerationSettings::default()).then(|| Box::new(settings))
        },
    )
}

fn delivery() -> impl Strategy<Value = Option<Box<DeliverySettings>>> {
    let truth = || of(any::<bool>());
    let parts = (
        references(),
        references(),
        truth(),
        of(0..u64::MAX),
        of(word().prop_map(Reference::from)),
        of(mailbox("f")),
        truth(),
        truth(),
        references(),
        moderation(),
    );
    parts.prop_map(
        |(accept_from, reject_from, required, size, forward, smtp, both, echo, send_as, moderation)| {
            let settings = DeliverySettings {
                accept_from,
                reject_from,
                require_sender_authentication: required,
                max_receive_size: size,
                forwarding_address: forward,
                forwarding_smtp_address: smtp,
                deliver_and_forward: both,
                echo_to_sender: echo,
                send_as,
                moderation,
            };
            (settings != DeliverySettings::default()).then(|| Box::new(settings))
        },
    )
}

fn condition() -> impl Strategy<Value = RuleCondition> {
    let included = select(vec![
        IncludedRecipients::AllRecipients,
        IncludedRecipients::MailboxUsers,
        IncludedRecipients::Resources,
        IncludedRecipients::MailContacts,
        IncludedRecipients::MailGroups,
        IncludedRecipients::MailUsers,
    ]);
    let custom = btree_map(1..=15_u8, vec(text(), 1..3), 0..3);
    let texts = || vec(text(), 0..3);
    let precanned = (vec(included, 1..3), texts(), texts(), texts(), custom).prop_map(
        |(included, company, department, state_or_province, custom)| {
            RuleCondition::Precanned(Precanned {
                included,
                company,
                department,
                state_or_province,
                custom_attributes: custom
                    .into_iter()
                    .map(|(number, values)| ConditionalCustomAttribute { number, values })
                    .collect(),
            })
        },
    );
    // Readable or not: both are kept.
    let readable = text().prop_map(|value| format!("Department -eq '{}'", value.replace('\'', "''")));
    let entra = text().prop_map(|value| format!("user.department -eq '{}'", value.replace('\'', "''")));
    let languages = select(FilterLanguage::WORDS.map(|(_, language)| language).to_vec());
    let filter = (prop_oneof![readable, entra, word()], languages).prop_map(|(text, language)| RuleCondition::Custom {
        language,
        text: text.into(),
    });
    prop_oneof![precanned, filter]
}

fn group() -> impl Strategy<Value = GroupSettings> {
    let comparison = of(select(vec![
        ComparisonProfile::ActiveDirectory,
        ComparisonProfile::Cloud,
    ]));
    let rule = (condition(), of(word()), comparison).prop_map(|(condition, container, comparison)| {
        Box::new(DynamicRule {
            condition,
            recipient_container: container.map(Into::into),
            comparison,
            remote_mailboxes_match_user_mailbox: false,
        })
    });
    let duration = || (1..10_000_000_u64).prop_map(Duration::from_millis);
    let refresh = of(prop_oneof![
        Just(RefreshMode::OnChange),
        duration().prop_map(RefreshMode::Interval)
    ]);
    let stale = of(select(vec![
        StaleAction::Serve,
        StaleAction::Defer,
        StaleAction::Refuse,
    ]));
    let subscribers = (any::<bool>(), references()).prop_map(|(expand, list)| {
        let subscribers = Subscribers { expand, list };
        (subscribers != Subscribers::default()).then(|| Box::new(subscribers))
    });
    let number = || of(any::<u32>());
    let guard = (number(), number(), number(), number(), of(duration())).prop_map(|limits| {
        let settings = GuardSettings {
            shrink_share_percent: limits.0,
            shrink_count: limits.1,
            growth_share_percent: limits.2,
            growth_count: limits.3,
            window: limits.4,
        };
        (settings != GuardSettings::default()).then(|| Box::new(settings))
    });
    let actions = StormAction::WORDS.map(|(_, action)| action).to_vec();
    let storm = (of(select(actions)), number(), number(), of(duration()), of(duration())).prop_map(|limits| {
        let settings = StormSettings {
            action: limits.0,
            members: limits.1,
            replies: limits.2,
            window: limits.3,
            brake: limits.4,
        };
        (settings != StormSettings::default()).then(|| Box::new(settings))
    });
    (
        (references(), references(), any::<[bool; 6]>()),
        of(rule),
        refresh,
        of(duration()),
        stale,
        (guard, storm),
        subscribers,
    )
        .prop_map(
            |((members, managed_by, flags), rule, refresh, max_age, on_stale, (guard, storm), subscribers)| {
                GroupSettings {
                    members,
                    managed_by,
                    report_to_originator: flags[0],
                    report_to_owner: flags[1],
                    send_oof: flags[2],
                    hidden_membership: flags[3],
                    bcc_blocked: flags[4],
                    only_members_may_post: flags[5],
                    rule,
                    refresh,
                    max_age,
                    on_stale,
                    guard,
                    storm,
                    subscribers,
                }
            },
        )
}

fn object() -> impl Strategy<Value = RecipientObject> {
    let names = (of(word()), of(word()), of(text()), of(word()), of(word()));
    let states = select(vec![ObjectState::Enabled, ObjectState::Disabled, ObjectState::Deleted]);
    let locations = select(vec![Location::Cloud, Location::OnPremises, Location::External]);
    let first = (
        word(),
        select(RecipientKind::ALL.to_vec()),
        mailbox("p"),
        vec(proxy(), 0..4),
    );
    (
        first,
        names,
        (states, locations, of(mailbox("t"))),
        attributes(),
        delivery(),
        group(),
    )
        .prop_map(|(first, names, place, attributes, delivery, group)| {
            let (id, kind, primary, proxies) = first;
            let mut object = RecipientObject::new(ObjectId::new(id), kind, SourceId::new("test"), primary);
            object.proxies = proxies.into_boxed_slice();
            let boxed = |text: Option<String>| text.map(String::into_boxed_str);
            (object.legacy_dn, object.alias) = (boxed(names.0), boxed(names.1));
            (object.display_name, object.distinguished_name) = (boxed(names.2), boxed(names.3));
            object.container = names.4.map(Into::into);
            (object.state, object.location, object.target_address) = place;
            for (attribute, value) in attributes {
                object.attributes.set(attribute, Some(value));
            }
            object.delivery = delivery;
            object.group = kind.is_group().then(|| Box::new(group));
            object
        })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(objects in vec(object(), 1..5)) {
        let mut objects = objects;
        let mut seen = std::collections::HashSet::new();
        objects.retain(|object| seen.insert(object.id.clone()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = write::text(&objects);
        std::fs::write(folder.path().join("a.json"), &text).expect("writable");
        match load(folder.path(), &SourceId::new("test")) {
            Ok(snapshot) => prop_assert_eq!(snapshot.objects, objects, "{}", text),
            Err(faults) => prop_assert!(false, "{:#?}\n{}", faults, text),
        }
    }
}
