//! Properties that Exchange computes and no single attribute of Active Directory holds.
//!
//! The forms for recipient types are those Exchange itself stores beside a `RecipientFilter`, where such a pair is
//! published; the others follow from what the object model computes.

use super::super::country;
use super::super::operator::Operator;
use super::super::predicate::Literal;
use super::RULE_BIT_AND;
use super::print::{Said, any, by_rule, escaped, item, not, present, substrings};
use crate::directory::attribute::Attribute;
use crate::directory::kind::RecipientType;
use crate::directory::value::parse_boolean;

const USER: &str = "(objectClass=user)(objectCategory=person)(mailNickname=*)";

/// What a comparison (its negation left out) is in LDAP; `None` if the attribute is none of these.
pub(super) fn say(attribute: Attribute, operator: Operator, literal: &Literal) -> Option<Said> {
    match attribute {
        Attribute::RecipientType => Some(recipient_type(operator, literal)),
        Attribute::PrimarySmtpAddress => Some(any_smtp_address(operator, literal)),
        Attribute::CountryOrRegion => Some(country_or_region(operator, literal)),
        Attribute::ServerName => Some(server(operator, literal)),
        Attribute::IsHierarchyReady => Some(truth(operator, literal).map(|ready| {
            let not_ready = by_rule("msExchProvisioningFlags", RULE_BIT_AND, "524288");
            if ready { not(&not_ready) } else { not_ready }
        })),
        Attribute::AccountEnabled => Some(account_enabled(operator, literal)),
        Attribute::ResourceType => Some(resource_type(operator, literal)),
        Attribute::ObjectId if *literal == Literal::Null => Some(Ok(not(&present("objectClass")))),
        Attribute::WhenCreatedUTC | Attribute::WhenChangedUTC => None,
        Attribute::MemberOfGroupRecursive => Some(match (operator, literal.text()) {
            (Operator::Eq, Some(dn)) => Ok(by_rule("memberOf", super::RULE_IN_CHAIN, &escaped(dn))),
            _ => Err("over nested groups LDAP can only ask for one group".into()),
        }),
        _ => None,
    }
}

fn truth(operator: Operator, literal: &Literal) -> Result<bool, String> {
    let value = literal.text().and_then(parse_boolean);
    match (operator, value) {
        (Operator::Eq | Operator::Like | Operator::Approx, Some(value)) => Ok(value),
        _ => Err("a truth value is compared with -eq or -ne only".into()),
    }
}

/// The texts a comparison for equality asks for; an error for any other comparison.
fn equal_texts(operator: Operator, literal: &Literal) -> Result<Vec<&str>, String> {
    let why = || "LDAP can say this for whole values only".to_owned();
    match (operator, literal) {
        (Operator::In, Literal::List(values)) => Ok(values.iter().map(|value| &**value).collect()),
        (Operator::Eq | Operator::Like | Operator::Approx, literal) => {
            let text = literal.text().ok_or_else(why)?;
            if operator == Operator::Like && text.contains('*') {
                return Err(why());
            }
            Ok(vec![text])
        }
        _ => Err(why()),
    }
}

fn recipient_type(operator: Operator, literal: &Literal) -> Said {
    let names = equal_texts(operator, literal)?;
    any(names.into_iter().map(|name| {
        let found = RecipientType::ALL
            .into_iter()
            .find(|each| each.name().eq_ignore_ascii_case(name.trim()));
        found
            .map(of_type)
            .ok_or_else(|| format!("no mail recipient has the type {name}"))
    }))
    .unwrap_or_else(|| Err("the list is empty".into()))
}

fn of_type(kind: RecipientType) -> String {
    let group = |test: &str| format!("(&(objectClass=group)(mailNickname=*){test})");
    match kind {
        RecipientType::UserMailbox => format!("(&{USER}(msExchHomeServerName=*))"),
        RecipientType::MailUser => format!("(&{USER}(!(msExchHomeServerName=*)))"),
        RecipientType::MailContact => "(&(objectClass=contact)(mailNickname=*))".into(),
        RecipientType::MailUniversalDistributionGroup => group("(groupType=8)"),
        RecipientType::MailUniversalSecurityGroup => group("(groupType=-2147483640)"),
        RecipientType::MailNonUniversalGroup => group(&not(&by_rule("groupType", RULE_BIT_AND, "8"))),
        RecipientType::DynamicDistributionGroup => "(objectClass=msExchDynamicDistributionList)".into(),
        RecipientType::PublicFolder => "(objectClass=publicFolder)".into(),
    }
}

/// `PrimarySmtpAddress` searches all SMTP addresses, which proxyAddresses holds with their type.
fn any_smtp_address(operator: Operator, literal: &Literal) -> Said {
    const NAME: &str = "proxyAddresses";
    let with_type = |text: &str| {
        let has_type = text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("smtp:"));
        if has_type {
            text.to_owned()
        } else {
            format!("smtp:{text}")
        }
    };
    match (operator, literal) {
        (_, Literal::Null) => Ok(not(&present(NAME))),
        (Operator::Like, literal) if literal.text().is_some_and(|text| text.contains('*')) => {
            let pattern = with_type(literal.text().unwrap_or(""));
            Ok(substrings(NAME, &pattern.split('*').collect::<Vec<_>>()))
        }
        (Operator::StartsWith, Literal::Text(text)) if !text.is_empty() => {
            Ok(substrings(NAME, &[&with_type(text), ""]))
        }
        (Operator::EndsWith, Literal::Text(text)) if !text.is_empty() => Ok(substrings(NAME, &["smtp:", text])),
        (Operator::Contains, Literal::Text(text)) if !text.is_empty() => Ok(substrings(NAME, &["smtp:", text, ""])),
        (operator, literal) => {
            let texts = equal_texts(operator, literal)?;
            any(texts.into_iter().map(|text| {
                let value = if text.is_empty() {
                    String::new()
                } else {
                    with_type(text)
                };
                Ok(item(NAME, "=", &escaped(&value)))
            }))
            .unwrap_or_else(|| Err("the list is empty".into()))
        }
    }
}

/// A country is kept as its code in `c`.
fn country_or_region(operator: Operator, literal: &Literal) -> Said {
    if *literal == Literal::Null {
        return Err("Active Directory keeps a country as c and co; ask one of these".into());
    }
    let texts = equal_texts(operator, literal)?;
    any(texts.into_iter().map(|text| match country::by_text(text) {
        Some(found) => Ok(item("c", "=", found.code)),
        None => Err(format!(
            "{text} is no country with a code, by which Active Directory keeps them"
        )),
    }))
    .unwrap_or_else(|| Err("the list is empty".into()))
}

/// The server is the end of msExchHomeServerName.
fn server(operator: Operator, literal: &Literal) -> Said {
    const NAME: &str = "msExchHomeServerName";
    if *literal == Literal::Null {
        return Err("Active Directory names the server of every local mailbox; ask msExchHomeServerName".into());
    }
    let texts = equal_texts(operator, literal)?;
    let ending = |text: &str| substrings(NAME, &["", &format!("/cn={text}")]);
    any(texts.into_iter().map(|text| Ok(ending(text)))).unwrap_or_else(|| Err("the list is empty".into()))
}

/// Bit 2 of userAccountControl; contacts and groups have no account.
fn account_enabled(operator: Operator, literal: &Literal) -> Said {
    if *literal == Literal::Null {
        return Ok(not(&present("userAccountControl")));
    }
    let disabled = by_rule("userAccountControl", RULE_BIT_AND, "2");
    Ok(if truth(operator, literal)? {
        format!("(&{}{})", present("userAccountControl"), not(&disabled))
    } else {
        disabled
    })
}

fn resource_type(operator: Operator, literal: &Literal) -> Said {
    const NAME: &str = "msExchResourceMetaData";
    if *literal == Literal::Null {
        return Ok(not(&item(NAME, "=", "ResourceType:*")));
    }
    let texts = equal_texts(operator, literal)?;
    any(texts.into_iter().map(|text| match text.trim() {
        "0" => Ok(item(NAME, "=", "ResourceType:Room")),
        "1" => Ok(item(NAME, "=", "ResourceType:Equipment")),
        name if name.eq_ignore_ascii_case("Room") => Ok(item(NAME, "=", "ResourceType:Room")),
        name if name.eq_ignore_ascii_case("Equipment") => Ok(item(NAME, "=", "ResourceType:Equipment")),
        other => Err(format!("no resource has the type {other}")),
    }))
    .unwrap_or_else(|| Err("the list is empty".into()))
}
