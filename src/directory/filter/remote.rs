//! Rules from the time before the mailboxes moved.
//!
//! In: a predicate of a group whose source is set to `remote_mailboxes_match_user_mailbox`. Out: the predicate
//! in which a mailbox that moved to the cloud still is a user mailbox. Exchange on premises calls it a mail user
//! from the moment it moves, and `RecipientType -eq 'UserMailbox'` loses it in silence; so does the form of that clause
//! in LDAP filters, `(msExchHomeServerName=*)`, because a mailbox in the cloud has no server here.

use super::operator::Operator;
use super::predicate::{Comparison, Literal, Predicate};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::kind::RecipientKind;

/// Kinds that were mailboxes on premises and are mail users since they moved.
pub const REMOTE_MAILBOXES: [RecipientKind; 5] = [
    RecipientKind::RemoteUserMailbox,
    RecipientKind::RemoteSharedMailbox,
    RecipientKind::RemoteRoomMailbox,
    RecipientKind::RemoteEquipmentMailbox,
    RecipientKind::RemoteTeamMailbox,
];

/// The predicate with every test for user mailboxes widened to remote ones. Everything else stays as it is: a
/// rule that says `RecipientTypeDetails -eq 'UserMailbox'` names the subtype, and means it.
pub fn widened(predicate: &Predicate) -> Predicate {
    let list = |parts: &[Predicate]| parts.iter().map(widened).collect();
    match predicate {
        Predicate::And(parts) => Predicate::And(list(parts)),
        Predicate::Or(parts) => Predicate::Or(list(parts)),
        Predicate::Not(inner) => Predicate::Not(Box::new(widened(inner))),
        Predicate::Compare(comparison) => widened_comparison(comparison).unwrap_or_else(|| predicate.clone()),
        Predicate::Quantified(_) | Predicate::All | Predicate::None => predicate.clone(),
    }
}

/// True if the predicate tests for user mailboxes at all: the setting would change nothing else.
pub fn asks_for_user_mailboxes(predicate: &Predicate) -> bool {
    let mut asks = false;
    predicate.each_comparison(&mut |comparison| asks |= is_widened(comparison));
    asks
}

/// True if the setting changes what the comparison means.
pub fn is_widened(comparison: &Comparison) -> bool {
    widened_comparison(comparison).is_some()
}

fn widened_comparison(comparison: &Comparison) -> Option<Predicate> {
    let asks_type = || {
        let text = comparison.literal.text();
        text.is_some_and(|text| text.trim().eq_ignore_ascii_case("UserMailbox"))
    };
    match comparison.property {
        Property::Held(Attribute::RecipientType) if asks_type() => match comparison.operator {
            Operator::Eq | Operator::Like => Some(any_mailbox(here())),
            Operator::Ne | Operator::NotLike => Some(Predicate::Not(Box::new(any_mailbox(here())))),
            // The other operators do not test for a type.
            _ => None,
        },
        // What Exchange writes into LDAP filters for RecipientType -eq 'UserMailbox'.
        Property::Held(Attribute::ServerLegacyDN) if comparison.literal == Literal::Null => {
            let on_a_server = |operator| {
                Predicate::Compare(Comparison {
                    operator,
                    ..comparison.clone()
                })
            };
            match comparison.operator {
                Operator::Ne => Some(any_mailbox(on_a_server(Operator::Ne))),
                Operator::Eq => Some(Predicate::Not(Box::new(any_mailbox(on_a_server(Operator::Ne))))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn here() -> Predicate {
    Predicate::compare(Attribute::RecipientType, Operator::Eq, "UserMailbox")
}

fn any_mailbox(here: Predicate) -> Predicate {
    let moved = REMOTE_MAILBOXES.iter().map(|kind| {
        let name = kind.recipient_type_details();
        Predicate::compare(Attribute::RecipientTypeDetails, Operator::Eq, name)
    });
    Predicate::Or(std::iter::once(here).chain(moved).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::filter::{CompiledRule, EvaluationOptions, NoMemberships};
    use crate::directory::group::{DynamicRule, FilterLanguage, RuleCondition};
    use crate::directory::testing::{contact, dynamic_group, person};

    fn compiled(text: &str, setting: bool) -> CompiledRule {
        let mut group = dynamic_group("g@x.example", text).build();
        if let (true, Some(rule)) = (
            text.starts_with('('),
            group.group.as_mut().and_then(|group| group.rule.as_mut()),
        ) {
            rule.condition = RuleCondition::Custom {
                language: FilterLanguage::Ldap,
                text: text.into(),
            };
        }
        let rule = group.group.and_then(|group| group.rule).map(|rule| DynamicRule {
            remote_mailboxes_match_user_mailbox: setting,
            ..*rule
        });
        CompiledRule::compile(&rule.expect("a rule"), &EvaluationOptions::default()).expect("compiles")
    }

    fn found(text: &str, setting: bool) -> usize {
        let moved = |address: &str, kind| person(address).kind(kind).target("x@cloud.example");
        let people = [
            person("here@x.example").attribute(Attribute::ServerLegacyDN, "/o=x/cn=Servers/cn=EX1"),
            moved("moved@x.example", RecipientKind::RemoteUserMailbox),
            moved("info@x.example", RecipientKind::RemoteSharedMailbox),
            moved("user@x.example", RecipientKind::MailUser),
            contact("out@x.example", "out@o.example"),
        ];
        let rule = compiled(text, setting);
        let objects = people.into_iter().map(|builder| builder.build());
        objects.filter(|object| rule.matches(object, &NoMemberships)).count()
    }

    #[test]
    fn both_counts() {
        for (text, without, with) in [
            ("RecipientType -eq 'UserMailbox'", 1, 3),
            ("RecipientType -like 'usermailbox'", 1, 3),
            ("RecipientType -ne 'UserMailbox'", 4, 2),
            ("-not(RecipientType -eq 'UserMailbox')", 4, 2),
            ("RecipientType -eq 'UserMailbox' -and Alias -eq 'moved'", 0, 1),
            ("ServerLegacyDN -ne $null", 1, 3),
            ("ServerLegacyDN -eq $null", 4, 2),
            ("(msExchHomeServerName=*)", 1, 3),
            ("(!(msExchHomeServerName=*))", 4, 2),
            (
                "(&(objectClass=user)(msExchHomeServerName=*)(mailNickname=moved))",
                0,
                1,
            ),
            // These name something else and mean it.
            ("(msExchHomeServerName=*cn=EX1)", 1, 1),
            ("RecipientTypeDetails -eq 'UserMailbox'", 1, 1),
            ("RecipientType -eq 'MailUser'", 3, 3),
        ] {
            assert_eq!(found(text, false), without, "{text}");
            assert_eq!(found(text, true), with, "{text}");
        }
    }

    #[test]
    fn a_widened_rule_says_so() {
        let rule = compiled("RecipientType -eq 'UserMailbox'", true);
        assert!(rule.is_widened());
        assert_eq!(rule.predicate().to_string(), "(RecipientType -eq 'UserMailbox')");
        assert!(rule.evaluated().to_string().contains("'RemoteUserMailbox'"));
        let moved = person("moved@x.example").kind(RecipientKind::RemoteUserMailbox).build();
        let explained = rule.explain(&moved, &NoMemberships).to_string();
        assert!(
            explained.contains("RecipientTypeDetails -eq 'RemoteUserMailbox'    stored: RemoteUserMailbox"),
            "{explained}"
        );
        assert!(!compiled("Alias -eq 'a'", true).is_widened());
        assert!(!compiled("RecipientType -eq 'UserMailbox'", false).is_widened());
    }
}
