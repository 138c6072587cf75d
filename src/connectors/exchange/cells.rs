//! From a record to the cells of an object: names and forms of every source become Exchange's properties.
//!
//! In: one raw record. Out: a [`Draft`] with cells, keys and the side it comes from. Never: another record is asked.

use super::convert::{self, Joined};
use super::ldif::has_open_range;
use super::names::{Key, Meaning, Special, fold, ldap_meaning, meaning};
use super::raw::{FileKind, RawField, RawRecord, RawValue};
use crate::connectors::files::property::Property as P;
use crate::directory::attribute::Attribute;

/// A place in the files of one import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct At {
    /// Index of the file.
    pub file: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1; 0 if the record is meant.
    pub column: usize,
}

/// Which directory a record was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// Active Directory, an Exchange server.
    OnPremises,
    /// Exchange Online.
    Online,
    /// Nothing in it tells.
    #[default]
    Unknown,
}

/// One property of an object as a file states it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// What is stated.
    pub property: P,
    /// The value.
    pub value: RawValue,
    /// Whether several values may stand in one text.
    pub joined: Joined,
    /// Filled by `-Include…WithDisplayNames`.
    pub with_display_names: bool,
    /// Where it stands.
    pub at: At,
}

/// An object as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Where it was read first.
    pub at: At,
    /// Where it lives.
    pub side: Side,
    /// What is stated, in the order of files.
    pub cells: Vec<Cell>,
    /// Names that other files may call it by: canonical paths, accounts.
    pub names: Vec<String>,
    /// `LdapRecipientFilter`.
    pub ldap_filter: Option<(String, At)>,
    /// `RecipientFilterType`.
    pub filter_type: Option<String>,
    /// `objectClass`, folded.
    pub classes: Vec<String>,
    /// Members read so far of a list whose end is missing.
    pub members_open: Option<usize>,
    /// True if both directories of a hybrid organisation have it.
    pub is_mixed: bool,
    /// True if a cmdlet or directory printed it as an object of its own, not as a row of a member list.
    pub is_whole: bool,
}

impl Draft {
    /// The first cell of a property.
    #[must_use]
    pub fn cell(&self, property: P) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.property == property)
    }

    /// Every cell of a property.
    pub fn all(&self, property: P) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(move |cell| cell.property == property)
    }

    /// The text of a property.
    #[must_use]
    pub fn text(&self, property: P) -> Option<String> {
        self.all(property).find_map(|cell| convert::text(&cell.value))
    }

    /// The address of a property, without its type.
    #[must_use]
    pub fn address(&self, property: P) -> Option<String> {
        let cell = self.all(property).find_map(|cell| convert::address(&cell.value))?;
        Some(convert::bare(&cell).to_owned())
    }

    /// What to call it in a report.
    #[must_use]
    pub fn title(&self) -> String {
        self.address(P::PrimarySmtpAddress)
            .or_else(|| self.address(P::Held(Attribute::WindowsEmailAddress)))
            .or_else(|| self.text(P::DisplayName))
            .or_else(|| self.text(P::Held(Attribute::Name)))
            .or_else(|| self.text(P::DistinguishedName))
            .unwrap_or_else(|| "(without a name)".to_owned())
    }
}

/// Columns that lists of members do not have: a record with one of them describes an object.
const WHOLE: [P; 4] = [
    P::Alias,
    P::EmailAddresses,
    P::DistinguishedName,
    P::Held(Attribute::Guid),
];

/// Turns a record into a draft. `passed_over` is told the names nothing depends on.
pub fn draft(
    record: &RawRecord,
    kind: FileKind,
    is_ldap: bool,
    file: usize,
    passed_over: &mut dyn FnMut(&str),
) -> Draft {
    let joined = if kind == FileKind::Csv {
        Joined::ByScript
    } else {
        Joined::Never
    };
    let mut draft = Draft {
        at: At {
            file,
            line: record.line,
            column: 0,
        },
        side: side(record, is_ldap),
        members_open: has_open_range(record, "member"),
        ..Draft::default()
    };
    for field in &record.fields {
        let at = At {
            file,
            line: field.line,
            column: field.column,
        };
        let meaning = if is_ldap {
            ldap_meaning(&field.name)
        } else {
            meaning(&field.name)
        };
        match meaning {
            Meaning::Unused => passed_over(&field.name),
            _ if field.value.is_empty() => {}
            Meaning::Property(property) => add(&mut draft, property, field, joined, at),
            Meaning::WithDisplayNames(property) => draft.cells.push(Cell {
                property,
                value: field.value.clone(),
                joined,
                with_display_names: true,
                at,
            }),
            Meaning::Key(Key::Identity) => identity(&mut draft, &field.value, joined, at),
            Meaning::Key(Key::Account) => draft.names.extend(convert::text(&field.value)),
            Meaning::Special(special) => self::special(&mut draft, special, field, joined, at),
        }
    }
    if is_ldap {
        complete_ldap(&mut draft);
    }
    draft.is_whole = WHOLE.iter().any(|property| draft.cell(*property).is_some());
    draft
}

fn push(draft: &mut Draft, property: P, value: RawValue, joined: Joined, at: At) {
    draft.cells.push(Cell {
        property,
        value,
        joined,
        with_display_names: false,
        at,
    });
}

fn add(draft: &mut Draft, property: P, field: &RawField, joined: Joined, at: At) {
    // GUIDs have one form; the empty one says nothing.
    if let P::Held(attribute @ (Attribute::Guid | Attribute::ExternalDirectoryObjectId)) = property {
        let text = convert::text(&field.value).unwrap_or_default();
        if let Some(guid) = convert::guid(text.rsplit('_').next().unwrap_or(&text)) {
            push(draft, P::Held(attribute), RawValue::Text(guid), joined, at);
        }
        return;
    }
    push(draft, property, field.value.clone(), joined, at);
}

/// `Identity` is whatever the shell prints: a canonical path, a DN, a GUID, a name.
fn identity(draft: &mut Draft, value: &RawValue, joined: Joined, at: At) {
    for spelled in convert::references(value, Joined::Never) {
        for text in spelled.0 {
            if let Some(guid) = convert::guid(&text) {
                push(draft, P::Held(Attribute::Guid), RawValue::Text(guid), joined, at);
            } else if crate::directory::dn::DistinguishedName::parse(&text).is_some() {
                push(draft, P::DistinguishedName, RawValue::Text(text), joined, at);
            } else {
                draft.names.push(text);
            }
        }
    }
}

fn special(draft: &mut Draft, special: Special, field: &RawField, joined: Joined, at: At) {
    let text = convert::text(&field.value).unwrap_or_default();
    match special {
        Special::ModerationFlags => {
            let Ok(flags) = text.trim().parse::<u32>() else { return };
            push(
                draft,
                P::BypassNestedModerationEnabled,
                RawValue::Boolean(flags & 1 != 0),
                joined,
                at,
            );
            let notify = match flags >> 1 {
                0 => "Never",
                1 => "Internal",
                _ => "Always",
            };
            push(
                draft,
                P::SendModerationNotifications,
                RawValue::Text(notify.to_owned()),
                joined,
                at,
            );
        }
        Special::Kilobytes(property) => {
            let octets = text
                .trim()
                .parse::<u64>()
                .ok()
                .and_then(|kilobytes| kilobytes.checked_mul(1_024));
            if let Some(octets) = octets {
                push(draft, property, RawValue::Number(octets.to_string()), joined, at);
            }
        }
        Special::FilterType => draft.filter_type = Some(text),
        Special::LdapFilter => draft.ldap_filter = draft.ldap_filter.take().or(Some((text, at))),
        Special::ObjectClass => {
            draft.classes = convert::texts(&field.value, joined)
                .iter()
                .map(|class| class.to_ascii_lowercase())
                .collect();
        }
        Special::PrefixedGuid => {
            if let Some(guid) = convert::guid(text.rsplit('_').next().unwrap_or(&text)) {
                let property = P::Held(Attribute::ExternalDirectoryObjectId);
                push(draft, property, RawValue::Text(guid), joined, at);
            }
        }
        Special::ExternalSenders => {
            if let Some(allowed) = convert::boolean(&field.value) {
                push(
                    draft,
                    P::RequireSenderAuthenticationEnabled,
                    RawValue::Boolean(!allowed),
                    joined,
                    at,
                );
            }
        }
    }
}

/// What a missing attribute means in Active Directory: a group without msExchRequireAuthToSendTo takes all senders.
fn complete_ldap(draft: &mut Draft) {
    let is_group = draft
        .classes
        .iter()
        .any(|class| class == "group" || class == "msexchdynamicdistributionlist");
    if is_group && draft.cell(P::RequireSenderAuthenticationEnabled).is_none() {
        let at = draft.at;
        push(
            draft,
            P::RequireSenderAuthenticationEnabled,
            RawValue::Boolean(false),
            Joined::Never,
            at,
        );
    }
}

fn side(record: &RawRecord, is_ldap: bool) -> Side {
    if is_ldap {
        return Side::OnPremises;
    }
    let mut side = Side::Unknown;
    for field in &record.fields {
        let name = fold(&field.name);
        if name == "exchangeobjectid" || name == "organizationid" && is_online(&field.value) {
            return Side::Online;
        }
        let places = [
            "distinguishedname",
            "organizationalunit",
            "recipientcontainer",
            "originatingserver",
            "legacyexchangedn",
            "id",
            "identity",
        ];
        if places.contains(&name.as_str()) {
            if is_online(&field.value) {
                return Side::Online;
            }
            let says_place = name == "organizationalunit" || name == "distinguishedname";
            if says_place && !field.value.is_empty() {
                side = Side::OnPremises;
            }
        }
        if name == "primarysmtpaddress" && matches!(field.value, RawValue::Object { .. }) {
            side = Side::OnPremises;
        }
    }
    side
}

fn is_online(value: &RawValue) -> bool {
    let marks = [
        "microsoft exchange hosted organizations",
        "prod.outlook.com",
        "/o=exchangelabs",
        "dc=outlook,dc=com",
    ];
    let is_marked = |text: &str| {
        let text = text.to_lowercase();
        marks.iter().any(|mark| text.contains(mark))
    };
    match value {
        RawValue::Text(text) => is_marked(text),
        RawValue::Object { printed, .. } => {
            printed.as_deref().is_some_and(is_marked)
                || value
                    .field("DistinguishedName")
                    .and_then(convert::text)
                    .is_some_and(|text| is_marked(&text))
        }
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) | RawValue::List(_) => false,
    }
}
