//! What an object is, from whatever its sources say: names, numbers, classes of Active Directory, telling properties.
//!
//! In: a draft. Out: its kind, or why it is no mail recipient.

use super::cells::Draft;
use super::convert;
use crate::connectors::files::property::Property as P;
use crate::directory::attribute::Attribute;
use crate::directory::kind::RecipientKind as K;

/// What a draft turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A recipient of this kind.
    Kind(K),
    /// An account, a contact or a group without mail.
    NotMailEnabled,
    /// Nothing says what it is.
    Nothing,
}

/// Tells the kind.
#[must_use]
pub fn kind(draft: &Draft) -> Told {
    let details = draft
        .all(P::RecipientTypeDetails)
        .filter_map(|cell| convert::text(&cell.value));
    for text in details {
        if let Some(kind) = by_details(&text) {
            return Told::Kind(kind);
        }
        if NOT_MAIL_ENABLED
            .iter()
            .any(|name| name.eq_ignore_ascii_case(text.trim()))
        {
            return Told::NotMailEnabled;
        }
    }
    let types = draft
        .all(P::RecipientType)
        .filter_map(|cell| convert::text(&cell.value));
    for text in types {
        if let Some(kind) = by_type(&text, draft) {
            return Told::Kind(kind);
        }
        if NOT_MAIL_ENABLED
            .iter()
            .any(|name| name.eq_ignore_ascii_case(text.trim()))
        {
            return Told::NotMailEnabled;
        }
    }
    if !draft.classes.is_empty() {
        return by_class(draft);
    }
    by_properties(draft)
}

/// Values of RecipientType and RecipientTypeDetails of objects that receive no mail.
const NOT_MAIL_ENABLED: [&str; 14] = [
    "User",
    "DisabledUser",
    "LinkedUser",
    "Contact",
    "Group",
    "UniversalDistributionGroup",
    "UniversalSecurityGroup",
    "NonUniversalGroup",
    "RoleGroup",
    "Computer",
    "MailboxPlan",
    "MicrosoftExchange",
    "SystemAttendantMailbox",
    "None",
];

fn by_details(text: &str) -> Option<K> {
    let text = text.trim();
    let number = text.parse::<i64>().ok();
    number.map_or_else(|| K::from_name(text), K::from_number)
}

/// `RecipientType` alone is coarse: the commonest subtype is taken.
fn by_type(text: &str, draft: &Draft) -> Option<K> {
    // Numbers of the enumeration in serialised objects (10 is a dynamic group).
    const NUMBERS: [(i64, K); 8] = [
        (2, K::UserMailbox),
        (3, K::MailUser),
        (5, K::MailContact),
        (7, K::MailUniversalDistributionGroup),
        (8, K::MailUniversalSecurityGroup),
        (9, K::MailNonUniversalGroup),
        (10, K::DynamicDistributionGroup),
        (11, K::PublicFolder),
    ];
    let text = text.trim();
    let kind = match text.parse::<i64>() {
        Ok(number) => NUMBERS.iter().find(|(each, _)| *each == number).map(|(_, kind)| *kind),
        Err(_) => K::from_name(text),
    }?;
    let has_routing = draft.cell(P::Held(Attribute::RemoteRecipientType)).is_some();
    Some(if kind == K::MailUser && has_routing {
        remote(draft)
    } else {
        kind
    })
}

/// RemoteRecipientType says what kind of mailbox the cloud holds.
fn remote(draft: &Draft) -> K {
    let text = draft.text(P::Held(Attribute::RemoteRecipientType)).unwrap_or_default();
    let number = text.trim().parse::<i64>().unwrap_or(0);
    let lower = text.to_lowercase();
    if number & 96 == 96 || lower.contains("shared") {
        K::RemoteSharedMailbox
    } else if number & 32 != 0 || lower.contains("room") {
        K::RemoteRoomMailbox
    } else if number & 64 != 0 || lower.contains("equipment") {
        K::RemoteEquipmentMailbox
    } else if number == 0 && !lower.contains("migrated") && !lower.contains("provision") {
        K::MailUser
    } else {
        K::RemoteUserMailbox
    }
}

fn has_mail(draft: &Draft) -> bool {
    [
        P::Alias,
        P::EmailAddresses,
        P::PrimarySmtpAddress,
        P::Held(Attribute::WindowsEmailAddress),
        P::ExternalEmailAddress,
    ]
    .iter()
    .any(|property| draft.cell(*property).is_some())
}

/// Active Directory: the class, and the attributes that make it a mail recipient.
fn by_class(draft: &Draft) -> Told {
    let is = |class: &str| draft.classes.iter().any(|each| each == class);
    if is("msexchdynamicdistributionlist") {
        return Told::Kind(K::DynamicDistributionGroup);
    }
    if !has_mail(draft) {
        return Told::NotMailEnabled;
    }
    if is("group") {
        let flags = draft
            .text(P::Held(Attribute::GroupType))
            .and_then(|text| text.trim().parse::<i64>().ok());
        const UNIVERSAL: i64 = 8;
        return Told::Kind(match flags {
            Some(flags) if flags & UNIVERSAL == 0 => K::MailNonUniversalGroup,
            Some(flags) if flags < 0 => K::MailUniversalSecurityGroup,
            Some(_) | None => K::MailUniversalDistributionGroup,
        });
    }
    if is("publicfolder") {
        return Told::Kind(K::PublicFolder);
    }
    if is("contact") {
        return Told::Kind(K::MailContact);
    }
    if is("user") || is("inetorgperson") {
        let has_mailbox = draft.cell(P::Held(Attribute::Database)).is_some();
        if has_mailbox {
            return Told::Kind(K::UserMailbox);
        }
        if draft.cell(P::Held(Attribute::RemoteRecipientType)).is_some() {
            return Told::Kind(remote(draft));
        }
        if draft.cell(P::ExternalEmailAddress).is_some() {
            return Told::Kind(K::MailUser);
        }
        let is_exchange = draft.cell(P::Held(Attribute::ExchangeGuid)).is_some();
        return if is_exchange {
            Told::Kind(K::UserMailbox)
        } else {
            Told::NotMailEnabled
        };
    }
    Told::NotMailEnabled
}

/// A selection of columns without a type: some columns only one kind has.
fn by_properties(draft: &Draft) -> Told {
    let has = |property: P| draft.cell(property).is_some();
    if has(P::RecipientFilter) || has(P::RecipientContainer) || draft.ldap_filter.is_some() {
        return Told::Kind(K::DynamicDistributionGroup);
    }
    if has(P::Subscribers) {
        return Told::Kind(K::GroupMailbox);
    }
    let of_groups = [
        P::Held(Attribute::GroupType),
        P::Held(Attribute::MemberJoinRestriction),
        P::ReportToOriginatorEnabled,
        P::ReportToManagerEnabled,
        P::Members,
    ];
    if of_groups.into_iter().any(has) {
        let text = draft.text(P::Held(Attribute::GroupType)).unwrap_or_default();
        let is_security = text.to_lowercase().contains("security") || text.trim().starts_with('-');
        return Told::Kind(if is_security {
            K::MailUniversalSecurityGroup
        } else {
            K::MailUniversalDistributionGroup
        });
    }
    if has(P::Held(Attribute::Database)) {
        return Told::Kind(K::UserMailbox);
    }
    if has(P::ExternalEmailAddress) {
        return Told::Kind(K::MailContact);
    }
    Told::Nothing
}
