//! On random nested organisations the walk equals the naive model.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;

use super::support::{ask, finals, mailbox, run, view};
use crate::directory::testing::{ObjectBuilder, contact, group, person};
use crate::directory::{ModerationSettings, RecipientKind, RecipientObject, Reference};
use crate::expansion::model::{Model, Told};
use crate::expansion::{Expansion, Verdict};
use crate::mail::{EnvelopeRecipient, Notify, ReversePath};
use crate::policy::rules::{DisabledAccounts, Forwarding, NestedRestrictions};
use crate::policy::testing::rules;
use crate::resolver::{Relaying, Sender, Standing};
use crate::track::Reason;

/// Objects of a random organisation.
pub(crate) const OBJECTS: usize = 14;

/// Everything random about one object, as small numbers.
pub(crate) type Dice = (u8, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, [u8; 8]);

/// An address that a reference may spell: primaries, aliases, outside addresses and names of nobody.
pub(crate) fn spelled(number: u8) -> String {
    match number {
        0..14 => format!("o{number}@contoso.example"),
        14..20 => format!("Alias{}@contoso.example", number - 14),
        20..23 => format!("x{}@outside.example", number - 20),
        23 => "nobody@contoso.example".to_owned(),
        _ => "CN=Nobody,DC=contoso".to_owned(),
    }
}

fn references(numbers: &[u8]) -> Vec<Reference> {
    numbers.iter().map(|number| Reference::from(spelled(*number))).collect()
}

pub(crate) fn object(number: usize, dice: &Dice) -> RecipientObject {
    let (kind, members, accept, reject, moderation, more) = dice;
    let address = format!("o{number}@contoso.example");
    let builder: ObjectBuilder = match kind {
        0..5 => group(&address).with_group(|settings| {
            settings.members = references(members);
            settings.managed_by = references(&moderation[..moderation.len().min(1)]);
            (settings.report_to_originator, settings.report_to_owner) = match more[0] {
                0 => (false, false),
                1 => (false, true),
                2 => (true, true),
                _ => (true, false),
            };
        }),
        5 => contact(&address, &format!("x{}@outside.example", more[1] % 3)),
        6 => contact(&address, &spelled(more[1] % 20)),
        7 => person(&address).kind(RecipientKind::SharedMailbox).disabled(),
        8 => person(&address).disabled(),
        _ => person(&address),
    };
    let builder = if number < 6 {
        builder.proxy(&format!("smtp:alias{number}@contoso.example"))
    } else {
        builder
    };
    let builder = builder.with_delivery(|delivery| {
        if more[2] < 3 {
            delivery.accept_from = references(accept);
        }
        if more[2] == 3 || more[2] == 2 {
            delivery.reject_from = references(reject);
        }
        delivery.require_sender_authentication = match more[3] {
            0 => Some(true),
            1..4 => Some(false),
            _ => None,
        };
        delivery.max_receive_size = (more[4] == 0).then_some(500);
        if more[5] == 0 {
            delivery.moderation = Some(Box::new(ModerationSettings {
                enabled: true,
                moderators: references(&[20]),
                bypass: references(moderation),
                ..ModerationSettings::default()
            }));
        }
        if !matches!(kind, 0..5) {
            match more[6] {
                0 | 1 => delivery.forwarding_address = Some(spelled(more[7] % 20).into()),
                2 => delivery.forwarding_smtp_address = Some(mailbox(&spelled(more[7] % 23))),
                _ => {}
            }
            delivery.deliver_and_forward = (more[7] % 3 == 0).then_some(true);
        }
    });
    builder.build()
}

pub(crate) fn dice() -> impl Strategy<Value = Dice> {
    let list = |most| prop::collection::vec(0..25_u8, 0..most);
    (
        0..14_u8,
        list(7),
        list(4),
        list(3),
        list(3),
        prop::array::uniform8(0..12_u8),
    )
}

#[derive(Debug, Clone)]
struct Message {
    from: u8,
    standing: u8,
    to: Vec<(u8, u8)>,
    settings: [bool; 4],
}

fn message() -> impl Strategy<Value = Message> {
    let to = prop::collection::vec((0..23_u8, 0..4_u8), 1..4);
    (0..24_u8, 0..6_u8, to, any::<[bool; 4]>()).prop_map(|(from, standing, to, settings)| Message {
        from,
        standing,
        to,
        settings,
    })
}

fn sender(message: &Message) -> Sender {
    let reverse_path = match message.standing {
        0 => ReversePath::Null,
        _ => ReversePath::Mailbox(mailbox(&spelled(message.from))),
    };
    let ours = reverse_path
        .mailbox()
        .is_some_and(|from| from.domain() == "contoso.example");
    let standing = match (message.standing, ours) {
        (0, _) => Standing::Null,
        (1..4, _) => Standing::Internal {
            proof: crate::resolver::Proof::Network("test".into()),
        },
        (_, true) => Standing::Spoofed,
        (_, false) => Standing::External,
    };
    Sender { reverse_path, standing }
}

fn notify(number: u8) -> Option<Notify> {
    match number {
        0 => Some(Notify {
            success: true,
            ..Notify::DEFAULT
        }),
        1 => Some(Notify::NEVER),
        _ => None,
    }
}

/// Reasons that the model does not give: it only sees that nobody was reached.
fn is_loss(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ForwardingLoop | Reason::GroupEmpty | Reason::RecipientUnknown
    )
}

fn compare(objects: &[RecipientObject], message: &Message) -> Result<(), TestCaseError> {
    let mut rules = rules();
    rules.forwarding = if message.settings[0] {
        Forwarding::Here
    } else {
        Forwarding::NextHop
    };
    rules.disabled_accounts = if message.settings[1] {
        DisabledAccounts::Drop
    } else {
        DisabledAccounts::Deliver
    };
    rules.nested_restrictions = if message.settings[2] {
        NestedRestrictions::Enforce
    } else {
        NestedRestrictions::TopOnly
    };
    rules.groups_internal_only = message.settings[3];
    let sender = sender(message);
    let recipients: Vec<EnvelopeRecipient> = message
        .to
        .iter()
        .map(|(number, asked)| EnvelopeRecipient {
            notify: notify(*asked),
            ..EnvelopeRecipient::plain(mailbox(&spelled(*number)))
        })
        .collect();
    let view = view(objects.iter().cloned().map(ObjectBuilder::of));
    let mut request = ask(&sender, &recipients);
    request.relaying = Relaying::Allowed;
    let expansion = run(&request, &view, &rules);

    let mut model = Model {
        objects,
        rules: &rules,
        sender: sender.reverse_path.clone(),
        internal: matches!(sender.standing, Standing::Internal { .. }),
        spoofed: sender.standing == Standing::Spoofed,
        size: 1_000,
        visited: HashSet::new(),
        finals: HashSet::new(),
        copies: Vec::new(),
        refused: HashSet::new(),
        held: HashSet::new(),
    };
    let told: Vec<Told> = recipients
        .iter()
        .map(|each| model.addressed(&each.forward_path, each.notify))
        .collect();

    prop_assert!(expansion.halt.is_none(), "{:?}", expansion.halt);
    prop_assert_eq!(
        copies(&expansion),
        model.copies.iter().cloned().collect::<BTreeSet<_>>()
    );
    let unique: HashSet<String> = finals(&expansion).iter().map(|each| each.to_lowercase()).collect();
    prop_assert_eq!(unique.len() as u64, expansion.recipients(), "one copy per person");
    let held: HashSet<String> = expansion.holds.iter().map(|hold| hold.object.to_string()).collect();
    prop_assert_eq!(held, model.held);
    verdicts(&expansion, &told)?;
    for branch in &expansion.refused {
        let pair = (branch.recipient.to_string(), branch.refusal.reason);
        prop_assert!(
            is_loss(pair.1) || model.refused.contains(&pair),
            "{:?} {:?}",
            pair,
            model.refused
        );
    }
    for pair in &model.refused {
        let named = expansion
            .refused
            .iter()
            .any(|branch| branch.recipient.as_str() == pair.0);
        let verdict = expansion.judged.iter().any(|judged| match &judged.verdict {
            Verdict::Refused(refusal) => refusal.reason == pair.1,
            Verdict::Accepted | Verdict::Held | Verdict::Discarded(_) => false,
        });
        prop_assert!(named || verdict, "nobody is told of {:?}", pair);
    }
    Ok(())
}

fn copies(expansion: &Expansion) -> BTreeSet<(String, ReversePath, Option<Notify>)> {
    let mut all = BTreeSet::new();
    for branch in &expansion.branches {
        for recipient in &branch.recipients {
            let address = recipient.final_address.as_str().to_lowercase();
            all.insert((address, branch.reverse_path.clone(), branch.notify));
        }
    }
    all
}

fn verdicts(expansion: &Expansion, told: &[Told]) -> Result<(), TestCaseError> {
    for (judged, told) in expansion.judged.iter().zip(told) {
        let nobody = judged.tally.recipients + judged.tally.held + judged.tally.duplicates == 0;
        match (&judged.verdict, told) {
            (Verdict::Accepted, Told::Pass)
            | (Verdict::Held, Told::Held)
            | (Verdict::Discarded(Reason::ReportToGroup), Told::Discarded) => {}
            (Verdict::Refused(refusal), Told::Refused(reason)) => prop_assert_eq!(refusal.reason, *reason),
            (Verdict::Refused(_), Told::Pass) => prop_assert!(nobody, "{:?}", judged),
            (verdict, told) => prop_assert!(false, "{:?} but the model says {:?}", verdict, told),
        }
        let accounted = !nobody || judged.tally.refused + judged.tally.dropped > 0;
        prop_assert!(
            judged.verdict != Verdict::Accepted || accounted,
            "lost in silence: {:?}",
            judged
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn expansion_equals_the_model(all in prop::collection::vec(dice(), OBJECTS), messages in prop::collection::vec(message(), 4)) {
        let objects: Vec<RecipientObject> = all.iter().enumerate().map(|(number, dice)| object(number, dice)).collect();
        for message in &messages {
            compare(&objects, message)?;
        }
    }
}
