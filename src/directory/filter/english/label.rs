//! Names of properties and types as people say them.

use crate::directory::attribute::{Attribute, Property};
use crate::directory::dn::DistinguishedName;
use crate::directory::names;
use crate::directory::value::ValueType;

/// The name of a property in a sentence: `Office`, `Custom attribute 7`.
pub(super) fn property(property: &Property) -> String {
    match property {
        Property::Held(attribute) => attribute_name(*attribute),
        Property::NotHeld(row) => format!("{} (which is not held here)", spaced(row.name)),
        // extension_<application>_<name>: the application is for machines.
        Property::Extension(name) => {
            let name = name.splitn(3, '_').nth(2).unwrap_or(name);
            format!("extension property {name}")
        }
        Property::Device(name) => format!("device property {name}"),
    }
}

/// The name of an attribute in a sentence.
pub(super) fn attribute_name(attribute: Attribute) -> String {
    match attribute {
        Attribute::EmailAddresses => "e-mail address".into(),
        Attribute::PrimarySmtpAddress => "SMTP address".into(),
        Attribute::WindowsEmailAddress => "mail address".into(),
        Attribute::ExternalEmailAddress => "external e-mail address".into(),
        Attribute::OtherMails => "other mail address".into(),
        Attribute::CountryOrRegion | Attribute::Co | Attribute::C => "country".into(),
        Attribute::ServerLegacyDN => "mailbox server".into(),
        Attribute::Database => "mailbox database".into(),
        Attribute::DistinguishedName | Attribute::Id => "distinguished name".into(),
        Attribute::ObjectId => "object id".into(),
        Attribute::AssignedPlans => "assigned plan".into(),
        Attribute::UserPrincipalName => "user principal name".into(),
        Attribute::RecipientTypeDetails => "recipient type".into(),
        Attribute::WhenCreated | Attribute::WhenCreatedUTC => "creation date".into(),
        Attribute::WhenChanged | Attribute::WhenChangedUTC => "date of the last change".into(),
        Attribute::WhenMailboxCreated => "mailbox creation date".into(),
        other => spaced(other.name()),
    }
}

/// `StateOrProvince` as `State or province`, `CustomAttribute15` as `Custom attribute 15`; capitals in a row stay.
fn spaced(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut text = String::with_capacity(name.len() + 4);
    for (at, character) in characters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| characters.get(at));
        let after = characters.get(at + 1);
        let begins_word = match before {
            None => false,
            Some(before) => {
                let from_lower = character.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit());
                let ends_capitals =
                    character.is_uppercase() && before.is_uppercase() && after.is_some_and(|next| next.is_lowercase());
                let number = character.is_ascii_digit() && !before.is_ascii_digit();
                from_lower || ends_capitals || number
            }
        };
        if begins_word {
            text.push(' ');
        }
        let is_acronym = after.is_some_and(|next| next.is_uppercase());
        if begins_word && character.is_uppercase() && !is_acronym {
            text.extend(character.to_lowercase());
        } else {
            text.push(*character);
        }
    }
    text
}

/// A value of `RecipientType` as a noun.
pub(super) fn recipient_type(text: &str) -> String {
    match text.trim().to_ascii_lowercase().as_str() {
        "usermailbox" => "mailbox".into(),
        "mailuniversaldistributiongroup" => "distribution group".into(),
        "mailuniversalsecuritygroup" => "mail-enabled security group".into(),
        "mailnonuniversalgroup" => "mail-enabled global or domain-local group".into(),
        _ => kind_of(names::RECIPIENT_TYPE, text),
    }
}

/// A value of `RecipientTypeDetails`, by name or number, as a noun.
pub(super) fn kind(text: &str) -> String {
    kind_of(names::RECIPIENT_TYPE_DETAILS, text)
}

fn kind_of(table: &'static [names::Named], text: &str) -> String {
    let name = names::number_of(table, text).and_then(|number| names::name_of(table, number));
    match name {
        Some(name) => spaced(name).to_lowercase(),
        None => format!("recipient of type {text}"),
    }
}

/// The name of a schema class or category, given as such or by its DN.
pub(super) fn class(text: &str) -> String {
    let name = match DistinguishedName::parse(text) {
        Some(_) => DistinguishedName::leaf_of(text).unwrap_or(text),
        None => text,
    };
    match name.to_ascii_lowercase().as_str() {
        "msexchdynamicdistributionlist" | "ms-exch-dynamic-distribution-list" => "dynamic distribution group".into(),
        "publicfolder" | "ms-exch-public-folder" => "public folder".into(),
        "person" => "person (user or contact)".into(),
        other => other.to_owned(),
    }
}

/// Several values of a property: `e-mail addresses`, `Extension custom attribute 1 values`.
pub(super) fn several(asked: &Property) -> String {
    let label = property(asked);
    match asked {
        Property::Held(attribute) if attribute.value_type() == ValueType::Addresses => plural(&label),
        Property::Held(Attribute::OtherMails | Attribute::AssignedPlans) => plural(&label),
        Property::Held(_) | Property::NotHeld(_) | Property::Extension(_) | Property::Device(_) => {
            format!("{label} values")
        }
    }
}

/// `mailbox` as `mailboxes`.
pub(super) fn plural(noun: &str) -> String {
    if let Some(stem) = noun.strip_suffix('y') {
        format!("{stem}ies")
    } else if noun.ends_with(['x', 's']) {
        format!("{noun}es")
    } else if let Some(rest) = noun.strip_prefix("recipient of type") {
        format!("recipients of type{rest}")
    } else {
        format!("{noun}s")
    }
}

/// `a` or `an`.
pub(super) fn article(noun: &str) -> &'static str {
    let begins_with_vowel = noun.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) || noun.starts_with("SMTP");
    // "a user principal name", "an unknown name".
    if begins_with_vowel { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_people_say_them() {
        for (name, said) in [
            ("Office", "Office"),
            ("StateOrProvince", "State or province"),
            ("CustomAttribute15", "Custom attribute 15"),
            ("LegacyExchangeDN", "Legacy exchange DN"),
            ("MAPIEnabled", "MAPI enabled"),
            ("WhenCreatedUTC", "When created UTC"),
        ] {
            assert_eq!(spaced(name), said);
        }
        assert_eq!(kind("2147483648"), "remote user mailbox");
        assert_eq!(kind("SharedMailbox"), "shared mailbox");
        assert_eq!(plural("shared mailbox"), "shared mailboxes");
    }
}
