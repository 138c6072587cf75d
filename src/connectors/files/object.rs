//! From a record to a recipient object.
//!
//! In: one record, the name of the source. Out: the object, or faults. Never: another object is asked; references
//! are bound by the directory.

use std::ops::Range;

use super::attributes;
use super::property::Property as P;
use super::record::{Record, Section};
use crate::connectors::document::NodeValue;
use crate::connectors::document::read::{Faults, expected};
use crate::directory::attribute::Attribute;
use crate::directory::delivery::{DeliverySettings, ModerationNotice, ModerationSettings, Reference};
use crate::directory::filter::parse_in;
use crate::directory::filter::precanned::{ConditionalCustomAttribute, IncludedRecipients, Precanned};
use crate::directory::group::{
    ComparisonProfile, DynamicRule, FilterLanguage, GroupSettings, GuardSettings, RefreshMode, RuleCondition,
    StaleAction, StormAction, StormSettings, Subscribers,
};
use crate::directory::kind::{RecipientKind, RecipientType};
use crate::directory::recipient::{Location, ObjectId, ProxyAddress, RecipientObject, SourceId};
use crate::mail::address::Mailbox;

/// Builds the object; `None` if it lacks what every object must have.
pub fn build(record: &Record, source: &SourceId, text: &str, faults: &mut Faults) -> Option<RecipientObject> {
    let kind = kind(record, faults);
    let addresses = addresses(record, faults);
    let (kind, (primary, proxies)) = (kind?, addresses?);
    refuse_misplaced(record, kind, faults);
    let mut object = RecipientObject::new(id(record, &primary, faults), kind, source.clone(), primary);
    object.proxies = proxies;
    object.legacy_dn = boxed(record.text(P::LegacyExchangeDN, faults).map(str::trim));
    object.alias = boxed(record.text(P::Alias, faults).map(str::trim));
    object.display_name = boxed(record.text(P::DisplayName, faults));
    object.distinguished_name = boxed(record.text(P::DistinguishedName, faults).map(str::trim));
    object.container = record
        .text(P::OrganizationalUnit, faults)
        .map(|text| text.trim().into());
    object.target_address = record.mailbox(P::ExternalEmailAddress, faults);
    let locations = [
        ("cloud", Location::Cloud),
        ("on_premises", Location::OnPremises),
        ("external", Location::External),
    ];
    object.location = record
        .word(P::Location, &locations, faults)
        .unwrap_or_else(|| location_of(kind));
    attributes::read(record, &mut object, faults);
    object.state = attributes::state(record, &object, faults);
    object.delivery = delivery(record, faults).map(Box::new);
    if kind.is_group() {
        object.group = Some(Box::new(group(record, text, faults)));
    } else if let Some(owner) = record.cell(P::ManagedBy) {
        // Exchange prints the column for everything; for a person it says nothing.
        let message = format!(
            "`{}` is a property of groups; {} is none",
            owner.name,
            kind.recipient_type_details()
        );
        if record.section == Section::Recipients {
            faults.push(owner.name_span.clone(), &owner.name, message, None);
        }
    }
    Some(object)
}

fn boxed(text: Option<&str>) -> Option<Box<str>> {
    text.map(Into::into)
}

fn kind(record: &Record, faults: &mut Faults) -> Option<RecipientKind> {
    let is_dynamic = record.has(P::RecipientFilter) || record.has(P::IncludedRecipients);
    let Some(cell) = record.cell(P::RecipientTypeDetails).or(record.cell(P::RecipientType)) else {
        if record.section == Section::Groups {
            let kind = if is_dynamic {
                RecipientKind::DynamicDistributionGroup
            } else {
                RecipientKind::MailUniversalDistributionGroup
            };
            return Some(kind);
        }
        let message = "the property `recipient_type_details` is missing: what is it?".to_owned();
        faults.push(record.place.clone(), "", message, None);
        return None;
    };
    let found = match &cell.node.value {
        NodeValue::Text(text) => RecipientKind::from_name(text.trim()),
        NodeValue::Integer(number) => RecipientKind::from_number(*number),
        NodeValue::Null
        | NodeValue::Boolean(_)
        | NodeValue::Number(_)
        | NodeValue::Time(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => None,
    };
    let Some(kind) = found else {
        let names = RecipientKind::ALL.iter().map(|kind| kind.recipient_type_details());
        let meant = match &cell.node.value {
            NodeValue::Text(text) => kind_meant(text)
                .or_else(|| crate::connectors::document::nearest(text, names))
                .map(|name| format!("\"{name}\"")),
            _ => None,
        };
        let what = "a type of recipient such as \"UserMailbox\" or \"MailUniversalDistributionGroup\"";
        faults.push(cell.node.span.clone(), &cell.name, expected(what, &cell.node), meant);
        return None;
    };
    let wrong = match record.section {
        Section::Recipients if kind.is_group() => Some("[[groups]]"),
        Section::Groups if !kind.is_group() => Some("[[recipients]]"),
        Section::Recipients | Section::Groups | Section::Rows => None,
    };
    if let Some(meant) = wrong {
        let message = format!("a {} does not belong here", kind.recipient_type_details());
        faults.push(cell.node.span.clone(), "", message, Some(meant.to_owned()));
    }
    Some(kind)
}

/// Words people use for Exchange's types.
fn kind_meant(text: &str) -> Option<&'static str> {
    let folded: String = text
        .to_ascii_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let kind = match folded.as_str() {
        "mailbox" | "user" => RecipientKind::UserMailbox,
        "remotemailbox" | "cloudmailbox" => RecipientKind::RemoteUserMailbox,
        "contact" => RecipientKind::MailContact,
        "guest" => RecipientKind::GuestMailUser,
        "shared" => RecipientKind::SharedMailbox,
        "room" => RecipientKind::RoomMailbox,
        "equipment" => RecipientKind::EquipmentMailbox,
        "group" | "distributiongroup" | "distributionlist" => RecipientKind::MailUniversalDistributionGroup,
        "securitygroup" => RecipientKind::MailUniversalSecurityGroup,
        "dynamicgroup" => RecipientKind::DynamicDistributionGroup,
        "microsoft365group" | "m365group" | "unifiedgroup" => RecipientKind::GroupMailbox,
        _ => return None,
    };
    Some(kind.recipient_type_details())
}

/// The primary address and the others.
fn addresses(record: &Record, faults: &mut Faults) -> Option<(Mailbox, Box<[ProxyAddress]>)> {
    let stated = record.mailbox(P::PrimarySmtpAddress, faults);
    let mut in_capitals: Option<(Mailbox, Range<usize>)> = None;
    let mut proxies = Vec::new();
    for (text, span) in record.texts(P::EmailAddresses, faults) {
        let proxy = match ProxyAddress::parse(&text) {
            Ok(proxy) => proxy,
            Err(fault) => {
                faults.push(span, "email_addresses", fault.to_string(), None);
                continue;
            }
        };
        match &proxy {
            ProxyAddress::Smtp(mailbox) if ProxyAddress::is_primary(&text) => {
                if let Some((first, _)) = &in_capitals {
                    let message = format!("two primary addresses (SMTP: in capitals): {first} and {mailbox}");
                    faults.push(span, "email_addresses", message, None);
                    continue;
                }
                in_capitals = Some((mailbox.clone(), span));
            }
            ProxyAddress::Smtp(_) | ProxyAddress::X500(_) | ProxyAddress::Other(_) => proxies.push(proxy),
        }
    }
    if let (Some(stated), Some((other, span))) = (&stated, &in_capitals)
        && stated.key() != other.key()
    {
        let message = format!("the primary address is {stated}, but {other} is marked SMTP: in capitals");
        faults.push(span.clone(), "email_addresses", message, Some(format!("smtp:{other}")));
    }
    // Set-DistributionGroup: with no entry in capitals the first one is the primary address.
    let first = || proxies.iter().find_map(ProxyAddress::mailbox).cloned();
    let primary = stated.or(in_capitals.map(|(mailbox, _)| mailbox)).or_else(first);
    let Some(primary) = primary else {
        if !record.has(P::PrimarySmtpAddress) && !record.has(P::EmailAddresses) {
            let message = "the property `primary_smtp_address` is missing".to_owned();
            faults.push(record.place.clone(), "", message, None);
        }
        return None;
    };
    let key = primary.key();
    proxies.retain(|proxy| proxy.mailbox().is_none_or(|mailbox| mailbox.key() != key));
    Some((primary, proxies.into_boxed_slice()))
}

fn id(record: &Record, primary: &Mailbox, faults: &mut Faults) -> ObjectId {
    let guid = [Attribute::ExternalDirectoryObjectId, Attribute::Guid]
        .into_iter()
        .find(|guid| record.has(P::Held(*guid)));
    let stated = record
        .text(P::Id, faults)
        .or_else(|| guid.and_then(|guid| record.text(P::Held(guid), faults)));
    match stated {
        Some(text) => ObjectId::new(text.trim()),
        None => ObjectId::new(primary.key().as_str()),
    }
}

/// True if the object has an id that survives a change of its address.
pub fn has_stable_id(record: &Record) -> bool {
    let guids = [Attribute::ExternalDirectoryObjectId, Attribute::Guid];
    record.has(P::Id) || guids.iter().any(|guid| record.has(P::Held(*guid)))
}

/// Where objects of a kind are unless the file says otherwise.
pub fn location_of(kind: RecipientKind) -> Location {
    use RecipientKind as K;
    match kind {
        K::RemoteUserMailbox
        | K::RemoteRoomMailbox
        | K::RemoteEquipmentMailbox
        | K::RemoteSharedMailbox
        | K::RemoteTeamMailbox
        | K::GroupMailbox
        | K::RemoteGroupMailbox => Location::Cloud,
        other => match other.recipient_type() {
            RecipientType::MailUser | RecipientType::MailContact => Location::External,
            RecipientType::UserMailbox
            | RecipientType::MailUniversalDistributionGroup
            | RecipientType::MailUniversalSecurityGroup
            | RecipientType::MailNonUniversalGroup
            | RecipientType::DynamicDistributionGroup
            | RecipientType::PublicFolder => Location::OnPremises,
        },
    }
}

fn delivery(record: &Record, faults: &mut Faults) -> Option<DeliverySettings> {
    let settings = DeliverySettings {
        accept_from: record.references(P::AcceptMessagesOnlyFromSendersOrMembers, faults),
        reject_from: record.references(P::RejectMessagesFromSendersOrMembers, faults),
        require_sender_authentication: record.boolean(P::RequireSenderAuthenticationEnabled, faults),
        max_receive_size: record.size(P::MaxReceiveSize, faults),
        forwarding_address: record
            .text(P::ForwardingAddress, faults)
            .map(|text| Reference::from(text.trim())),
        forwarding_smtp_address: record.mailbox(P::ForwardingSmtpAddress, faults),
        deliver_and_forward: record.boolean(P::DeliverToMailboxAndForward, faults),
        echo_to_sender: record.boolean(P::EchoGroupMessageBackToSubscribedSender, faults),
        send_as: record.references(P::SendAs, faults),
        moderation: moderation(record, faults).map(Box::new),
    };
    (settings != DeliverySettings::default()).then_some(settings)
}

fn moderation(record: &Record, faults: &mut Faults) -> Option<ModerationSettings> {
    let notices = [
        ("Always", ModerationNotice::Always),
        ("Internal", ModerationNotice::Internal),
        ("Never", ModerationNotice::Never),
    ];
    let settings = ModerationSettings {
        enabled: record.boolean(P::ModerationEnabled, faults).unwrap_or(false),
        moderators: record.references(P::ModeratedBy, faults),
        bypass: record.references(P::BypassModerationFromSendersOrMembers, faults),
        bypass_nested: record
            .boolean(P::BypassNestedModerationEnabled, faults)
            .unwrap_or(false),
        notify: record
            .word(P::SendModerationNotifications, &notices, faults)
            .unwrap_or_default(),
        expiry: record.duration(P::ModerationExpiry, faults),
        quorum: record.number(P::ModerationQuorum, faults),
        substitutes: record.references(P::ModerationSubstitutes, faults),
        language: record
            .text(P::ModerationLanguage, faults)
            .map(|text| Box::from(text.trim())),
    };
    (settings != ModerationSettings::default()).then_some(settings)
}

fn group(record: &Record, text: &str, faults: &mut Faults) -> GroupSettings {
    let default = GroupSettings::default();
    let refresh = record.change_or_duration(P::Refresh, faults);
    let stale = [
        ("serve", StaleAction::Serve),
        ("defer", StaleAction::Defer),
        ("refuse", StaleAction::Refuse),
    ];
    let subscribers = Subscribers {
        expand: record.boolean(P::ExpandSubscribers, faults).unwrap_or(false),
        list: record.references(P::Subscribers, faults),
    };
    GroupSettings {
        members: record.references(P::Members, faults),
        managed_by: record.references(P::ManagedBy, faults),
        report_to_originator: record
            .boolean(P::ReportToOriginatorEnabled, faults)
            .unwrap_or(default.report_to_originator),
        report_to_owner: record.boolean(P::ReportToManagerEnabled, faults).unwrap_or(false),
        send_oof: record
            .boolean(P::SendOofMessageToOriginatorEnabled, faults)
            .unwrap_or(false),
        hidden_membership: record.boolean(P::HiddenGroupMembershipEnabled, faults).unwrap_or(false),
        bcc_blocked: record.boolean(P::BccBlocked, faults).unwrap_or(false),
        only_members_may_post: record.boolean(P::AllowOnlyMembersToPost, faults).unwrap_or(false),
        rule: rule(record, text, faults).map(Box::new),
        refresh: refresh.map(|every| every.map_or(RefreshMode::OnChange, RefreshMode::Interval)),
        max_age: record.duration(P::MaxAge, faults),
        on_stale: record.word(P::OnStale, &stale, faults),
        guard: guard(record, faults).map(Box::new),
        storm: storm(record, faults).map(Box::new),
        subscribers: (subscribers != Subscribers::default()).then(|| Box::new(subscribers)),
    }
}

fn guard(record: &Record, faults: &mut Faults) -> Option<GuardSettings> {
    let settings = GuardSettings {
        shrink_share_percent: record.number(P::GuardShrinkSharePercent, faults),
        shrink_count: record.number(P::GuardShrinkCount, faults),
        growth_share_percent: record.number(P::GuardGrowthSharePercent, faults),
        growth_count: record.number(P::GuardGrowthCount, faults),
        window: record.duration(P::GuardWindow, faults),
    };
    (settings != GuardSettings::default()).then_some(settings)
}

fn storm(record: &Record, faults: &mut Faults) -> Option<StormSettings> {
    let settings = StormSettings {
        action: record.word(P::StormAction, &StormAction::WORDS, faults),
        members: record.number(P::StormMembers, faults),
        replies: record.number(P::StormReplies, faults),
        window: record.duration(P::StormWindow, faults),
        brake: record.duration(P::StormBrake, faults),
    };
    (settings != StormSettings::default()).then_some(settings)
}

fn rule(record: &Record, source: &str, faults: &mut Faults) -> Option<DynamicRule> {
    let profiles = [
        ("active_directory", ComparisonProfile::ActiveDirectory),
        ("cloud", ComparisonProfile::Cloud),
    ];
    let language = record
        .word(P::Language, &FilterLanguage::WORDS, faults)
        .unwrap_or_default();
    let condition = match (filter(record, language, source, faults), precanned(record, faults)) {
        (Some(text), _) => RuleCondition::Custom { language, text },
        (None, Some(precanned)) => RuleCondition::Precanned(precanned),
        (None, None) => return None,
    };
    Some(DynamicRule {
        condition,
        recipient_container: boxed(record.text(P::RecipientContainer, faults)),
        comparison: record.word(P::ComparisonProfile, &profiles, faults),
        // Stated by the source as a whole, not by the file.
        remote_mailboxes_match_user_mailbox: false,
    })
}

/// The text of the filter; a fault in it is shown where it stands in the file.
fn filter(record: &Record, language: FilterLanguage, source: &str, faults: &mut Faults) -> Option<Box<str>> {
    let text = record.text(P::RecipientFilter, faults)?;
    let cell = record.cell(P::RecipientFilter)?;
    // An import keeps a filter that nobody could convert: the group is known, and mail for it waits (451).
    let kept = record.boolean(P::KeepUnreadableFilter, faults) == Some(true);
    if !kept && let Err(error) = parse_in(language, text) {
        // The value may hold escapes; then the places in it are not those in the file.
        let raw = source.get(cell.node.span.clone()).unwrap_or("");
        let span = match raw.find(text) {
            Some(at) => {
                let start = cell.node.span.start + at;
                start + error.place.span.start..start + error.place.span.end
            }
            None => cell.node.span.clone(),
        };
        faults.push(span, &cell.name, error.fault.to_string(), None);
    }
    Some(text.into())
}

fn precanned(record: &Record, faults: &mut Faults) -> Option<Precanned> {
    let first = record.cells.iter().find(|cell| cell.property.is_precanned())?;
    if record.has(P::RecipientFilter) {
        // Exchange cannot hold both: a group is precanned or custom. Its exports print IncludedRecipients with
        // every custom filter, so only the hand-written forms are refused.
        if record.section != Section::Rows {
            let message = format!("`{}` and `recipient_filter` exclude each other", first.name);
            faults.push(first.name_span.clone(), &first.name, message, None);
        }
        return None;
    }
    if !record.has(P::IncludedRecipients) {
        let message = format!("`{}` needs `included_recipients`", first.name);
        faults.push(first.name_span.clone(), &first.name, message, None);
    }
    let list = |property, faults: &mut Faults| -> Vec<String> { record.texts_as_written(property, faults) };
    let custom_attributes = (1..=15)
        .filter(|number| record.has(P::ConditionalCustomAttribute(*number)))
        .map(|number| ConditionalCustomAttribute {
            number,
            values: list(P::ConditionalCustomAttribute(number), faults),
        })
        .collect();
    Some(Precanned {
        included: included(record, faults),
        company: list(P::ConditionalCompany, faults),
        department: list(P::ConditionalDepartment, faults),
        state_or_province: list(P::ConditionalStateOrProvince, faults),
        custom_attributes,
    })
}

fn included(record: &Record, faults: &mut Faults) -> Vec<IncludedRecipients> {
    use IncludedRecipients as I;
    const WORDS: [(&str, IncludedRecipients); 6] = [
        ("AllRecipients", I::AllRecipients),
        ("MailboxUsers", I::MailboxUsers),
        ("Resources", I::Resources),
        ("MailContacts", I::MailContacts),
        ("MailGroups", I::MailGroups),
        ("MailUsers", I::MailUsers),
    ];
    let mut all = Vec::new();
    for (text, span) in record.texts(P::IncludedRecipients, faults) {
        // Exchange prints the value as one text: "MailboxUsers, MailContacts".
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(part)) {
                Some((_, included)) => all.push(*included),
                None => {
                    let meant = crate::connectors::document::nearest(part, WORDS.iter().map(|(word, _)| *word));
                    let message = format!(
                        "expected AllRecipients, MailboxUsers, Resources, MailContacts, MailGroups or MailUsers, found \"{part}\""
                    );
                    faults.push(span.clone(), "included_recipients", message, meant.map(str::to_owned));
                }
            }
        }
    }
    all
}

/// Properties that the object cannot have.
fn refuse_misplaced(record: &Record, kind: RecipientKind, faults: &mut Faults) {
    // Exports print columns for everything; there an odd value is the export's business.
    if record.section == Section::Rows {
        return;
    }
    let name = kind.recipient_type_details();
    for cell in &record.cells {
        let why = if cell.property.is_of_dynamic_groups() && !kind.is_dynamic() {
            "dynamic distribution groups"
        } else if cell.property.is_of_groups() && !kind.is_group() {
            "groups"
        } else if cell.property == P::Members && kind.is_dynamic() {
            "static groups"
        } else {
            continue;
        };
        let message = format!("`{}` is a property of {why}; this is a {name}", cell.name);
        faults.push(cell.name_span.clone(), &cell.name, message, None);
    }
}
