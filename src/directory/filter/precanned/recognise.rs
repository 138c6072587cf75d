//! A stored filter as the parameters it was made of.
//!
//! In: a predicate without its tails. Out: `IncludedRecipients` and `Conditional…`, if it is exactly what Exchange makes
//! of some; none for a filter that somebody wrote.

use super::super::opath;
use super::super::operator::Operator;
use super::super::predicate::{Comparison, Literal, Predicate};
use super::{ConditionalCustomAttribute, IncludedRecipients, MAIL_CONTACT, MAIL_GROUPS, MAIL_USER, Precanned};
use super::{RESOURCES, USER_MAILBOX};
use crate::directory::attribute::{Attribute, Property};

/// The building blocks, one for each word but `AllRecipients`.
const BLOCKS: [(IncludedRecipients, &str); 5] = [
    (IncludedRecipients::MailboxUsers, USER_MAILBOX),
    (IncludedRecipients::Resources, RESOURCES),
    (IncludedRecipients::MailContacts, MAIL_CONTACT),
    (IncludedRecipients::MailGroups, MAIL_GROUPS),
    (IncludedRecipients::MailUsers, MAIL_USER),
];

/// The parameters behind a predicate.
pub fn recognised(predicate: &Predicate) -> Option<Precanned> {
    let blocks: Vec<(IncludedRecipients, Predicate)> = BLOCKS
        .iter()
        .filter_map(|(word, text)| opath::parse(text).ok().map(|parsed| (*word, parsed.predicate)))
        .collect();
    if let Some(included) = types(predicate, &blocks) {
        return Some(Precanned {
            included,
            ..Precanned::default()
        });
    }
    let Predicate::And(parts) = predicate else { return None };
    let (last, conditions) = parts.split_last()?;
    let mut precanned = Precanned {
        included: types(last, &blocks)?,
        ..Precanned::default()
    };
    for condition in conditions {
        add(&mut precanned, condition)?;
    }
    precanned.custom_attributes.sort_by_key(|each| each.number);
    Some(precanned)
}

/// The words of a block of types.
fn types(predicate: &Predicate, blocks: &[(IncludedRecipients, Predicate)]) -> Option<Vec<IncludedRecipients>> {
    let word = |part: &Predicate| blocks.iter().find(|(_, block)| block == part).map(|(word, _)| *word);
    let mut included = match (word(predicate), predicate) {
        (Some(one), _) => vec![one],
        (None, Predicate::Or(parts)) => parts.iter().map(word).collect::<Option<Vec<_>>>()?,
        (None, _) => return None,
    };
    included.sort_unstable();
    let written = included.len();
    included.dedup();
    if included.len() != written {
        return None;
    }
    if included.len() == BLOCKS.len() {
        return Some(vec![IncludedRecipients::AllRecipients]);
    }
    Some(included)
}

/// One condition: values of one property, each property once.
fn add(precanned: &mut Precanned, condition: &Predicate) -> Option<()> {
    let parts = match condition {
        Predicate::Or(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut attribute = None;
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        let Predicate::Compare(Comparison {
            property: Property::Held(found),
            operator: Operator::Eq,
            literal: Literal::Text(text),
        }) = part
        else {
            return None;
        };
        if *attribute.get_or_insert(*found) != *found {
            return None;
        }
        values.push(text.to_string());
    }
    let attribute = attribute?;
    let place = match attribute {
        Attribute::Company => &mut precanned.company,
        Attribute::Department => &mut precanned.department,
        Attribute::StateOrProvince => &mut precanned.state_or_province,
        _ => {
            let number = (1..=15).find(|number| Attribute::custom(*number) == Some(attribute))?;
            if precanned.custom_attributes.iter().any(|each| each.number == number) {
                return None;
            }
            precanned
                .custom_attributes
                .push(ConditionalCustomAttribute { number, values });
            return Some(());
        }
    };
    if !place.is_empty() {
        return None;
    }
    *place = values;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::filter::tail;
    use crate::directory::filter::{CompiledRule, EvaluationOptions, NoMemberships};
    use crate::directory::kind::{RecipientKind, RecipientType};
    use crate::directory::testing::person;

    fn parsed(text: &str) -> Predicate {
        opath::parse(text).expect("a filter").predicate
    }

    /// Every combination of words, with conditions and without.
    fn combinations() -> Vec<Precanned> {
        let mut all = Vec::new();
        for bits in 1_u32..32 {
            let words = BLOCKS.iter().enumerate().filter(|(at, _)| bits & 1 << at != 0);
            let mut included: Vec<IncludedRecipients> = words.map(|(_, (word, _))| *word).collect();
            included.sort_unstable();
            let plain = Precanned {
                included,
                ..Precanned::default()
            };
            all.push(plain.clone());
            all.push(Precanned {
                department: vec!["Sales".into(), "It's".into()],
                custom_attributes: vec![ConditionalCustomAttribute {
                    number: 7,
                    values: vec!["x".into()],
                }],
                ..plain
            });
        }
        all
    }

    #[test]
    fn every_combination_is_known_again() {
        for precanned in combinations() {
            let mut wanted = precanned.clone();
            if wanted.included.len() == BLOCKS.len() {
                wanted.included = vec![IncludedRecipients::AllRecipients];
            }
            let text = format!(
                "({} -and (-not(Name -like 'SystemMailbox{{*')) -and (-not(Name -like 'CAS_{{*')) -and \
                 (-not(RecipientTypeDetailsValue -eq 'MailboxPlan')))",
                precanned.text()
            );
            let core = tail::split(&parsed(&text)).core;
            assert_eq!(recognised(&core), Some(wanted), "{text}");
        }
    }

    #[test]
    fn every_combination_finds_its_kinds() {
        for precanned in combinations() {
            let options = EvaluationOptions::default();
            let rule = CompiledRule::of_predicate(parsed(&precanned.text()), &options).expect("a rule");
            let is_any = |words: &[IncludedRecipients]| words.iter().any(|word| precanned.included.contains(word));
            for kind in RecipientKind::ALL.iter().copied().filter(|kind| !kind.is_system()) {
                use IncludedRecipients as I;
                let named = match kind.recipient_type() {
                    RecipientType::UserMailbox => {
                        is_any(&[I::MailboxUsers]) || is_any(&[I::Resources]) && kind.resource_type().is_some()
                    }
                    RecipientType::MailContact => is_any(&[I::MailContacts]),
                    RecipientType::MailUser => is_any(&[I::MailUsers]),
                    RecipientType::MailUniversalDistributionGroup
                    | RecipientType::MailUniversalSecurityGroup
                    | RecipientType::MailNonUniversalGroup
                    | RecipientType::DynamicDistributionGroup => is_any(&[I::MailGroups]),
                    RecipientType::PublicFolder => false,
                };
                let sales = person("a@x.example")
                    .kind(kind)
                    .department("it's")
                    .attribute(Attribute::CustomAttribute7, "X");
                assert_eq!(
                    rule.matches(&sales.build(), &NoMemberships),
                    named,
                    "{precanned:?} {kind:?}"
                );
                let other = person("a@x.example").kind(kind).department("Other").build();
                let is_open = precanned.department.is_empty();
                assert_eq!(
                    rule.matches(&other, &NoMemberships),
                    named && is_open,
                    "{precanned:?} {kind:?}"
                );
            }
        }
    }

    #[test]
    fn what_somebody_wrote_is_not_precanned() {
        for text in [
            "Department -eq 'Sales'",
            "(Department -like 'Sales*') -and (RecipientType -eq 'UserMailbox')",
            "(Department -eq 'Sales') -and (Department -eq 'IT') -and (RecipientType -eq 'UserMailbox')",
            "(Office -eq 'Berlin') -and (RecipientType -eq 'UserMailbox')",
            "(RecipientType -eq 'UserMailbox') -and (Department -eq 'Sales')",
            "(RecipientType -eq 'PublicFolder')",
            "(RecipientType -eq 'UserMailbox') -or (Department -eq 'Sales')",
            "(RecipientType -eq 'UserMailbox') -or (RecipientType -eq 'UserMailbox')",
        ] {
            assert_eq!(recognised(&parsed(text)), None, "{text}");
        }
    }
}
