//! From a joined draft to a recipient object.
//!
//! In: drafts, their kinds and addresses, the catalog. Out: objects with every list bound to addresses, findings for
//! what could not be bound or used. Never: a list emptied because a name in it leads nowhere: it is kept as text.

use std::collections::HashSet;

use super::cells::{At, Cell, Draft, Side};
use super::convert::{self, Spelled};
use super::import::Import;
use super::raw::RawValue;
use super::report::{Code, Finding};
use super::rule::{self, bounded};
use crate::connectors::files::property::Property as P;
use crate::directory::attribute::Attribute;
use crate::directory::delivery::{DeliverySettings, ModerationNotice, ModerationSettings, Reference};
use crate::directory::dn::DistinguishedName;
use crate::directory::group::{GroupSettings, Subscribers};
use crate::directory::kind::{RecipientKind, RecipientType};
use crate::directory::recipient::{Location, ObjectId, ObjectState, ProxyAddress, RecipientObject, SourceId};
use crate::directory::value::{Value, ValueType};
use crate::mail::address::Mailbox;

/// What an object is and how it is addressed: known before any list is bound.
#[derive(Debug, Clone)]
pub struct Base {
    /// What it is.
    pub kind: RecipientKind,
    /// Its primary address.
    pub primary: Mailbox,
    /// Its other addresses.
    pub proxies: Vec<ProxyAddress>,
}

/// Reads the addresses of a draft. The second part says what was odd.
pub fn addresses(draft: &Draft, kind: RecipientKind) -> (Option<Base>, Vec<(Code, String, At)>) {
    let mut odd = Vec::new();
    let mut primary: Option<Mailbox> = None;
    let mut marked: Option<Mailbox> = None;
    let mut proxies: Vec<ProxyAddress> = Vec::new();
    let mut read = |text: &str, at: At| match Mailbox::parse(convert::bare(text)) {
        Ok(mailbox) => Some(mailbox),
        Err(_) => {
            odd.push((Code::AddressRefused, format!("`{text}` is no address"), at));
            None
        }
    };
    for cell in draft.all(P::PrimarySmtpAddress) {
        for text in convert::addresses(&cell.value, cell.joined) {
            let mailbox = read(&text, cell.at);
            match (&primary, mailbox) {
                (None, found) => primary = found,
                (Some(_), Some(other)) => proxies.push(ProxyAddress::Smtp(other)),
                (Some(_), None) => {}
            }
        }
    }
    for cell in draft.all(P::EmailAddresses) {
        for text in convert::addresses(&cell.value, cell.joined) {
            let is_smtp = text
                .split_once(':')
                .is_none_or(|(kind, _)| kind.eq_ignore_ascii_case("smtp"));
            if is_smtp {
                let Some(mailbox) = read(&text, cell.at) else { continue };
                if ProxyAddress::is_primary(&text) && marked.is_none() {
                    marked = Some(mailbox);
                } else {
                    proxies.push(ProxyAddress::Smtp(mailbox));
                }
            } else if let Ok(proxy) = ProxyAddress::parse(&text) {
                proxies.push(proxy);
            }
        }
    }
    // The second legacyExchangeDN of a hybrid object is an address of the past like any X500.
    let legacy = draft
        .all(P::LegacyExchangeDN)
        .filter_map(|cell| convert::text(&cell.value));
    let legacy: Vec<String> = legacy.map(|text| text.trim().to_owned()).collect();
    let others = legacy.iter().skip(1).filter(|text| Some(*text) != legacy.first());
    proxies.extend(others.map(|text| ProxyAddress::X500(text.as_str().into())));

    let first = || proxies.iter().find_map(ProxyAddress::mailbox).cloned();
    let found = primary.clone().or(marked.clone()).or_else(first);
    let found = found.or_else(|| {
        let cell = draft.cell(P::Held(Attribute::WindowsEmailAddress))?;
        let mailbox = Mailbox::parse(convert::bare(&convert::address(&cell.value)?)).ok()?;
        let message = "it has a mail attribute and no proxyAddresses; its mail attribute was taken".to_owned();
        odd.push((Code::OnlyMailAttribute, message, cell.at));
        Some(mailbox)
    });
    let outside = || {
        let is_outside = kind.recipient_type() == RecipientType::MailContact;
        let address = draft.address(P::ExternalEmailAddress).filter(|_| is_outside)?;
        Mailbox::parse(&address).ok()
    };
    let Some(primary) = found.or_else(outside) else {
        return (None, odd);
    };
    proxies.extend(marked.map(ProxyAddress::Smtp));
    let mut seen = HashSet::from([primary.key().as_str().to_owned()]);
    proxies.retain(|proxy| match proxy {
        ProxyAddress::Smtp(mailbox) => seen.insert(mailbox.key().as_str().to_owned()),
        ProxyAddress::X500(text) | ProxyAddress::Other(text) => seen.insert(format!("\0{}", text.to_lowercase())),
    });
    let base = Base { kind, primary, proxies };
    (Some(base), odd)
}

/// Builds one object.
pub fn object(import: &mut Import<'_>, index: usize, source: &SourceId) -> Option<RecipientObject> {
    let draft = import.drafts.get(index)?;
    let base = import.bases.get(index)?.clone()?;
    let guid = |held| draft.text(P::Held(held));
    let id = guid(Attribute::ExternalDirectoryObjectId)
        .or_else(|| guid(Attribute::Guid))
        .unwrap_or_else(|| base.primary.key().as_str().to_owned());
    let mut object = RecipientObject::new(ObjectId::new(id), base.kind, source.clone(), base.primary);
    object.proxies = base.proxies.into_boxed_slice();
    let trimmed = |property: P| draft.text(property).map(|text| text.trim().into());
    object.legacy_dn = trimmed(P::LegacyExchangeDN);
    object.alias = trimmed(P::Alias);
    object.display_name = draft.text(P::DisplayName).map(Into::into);
    object.distinguished_name = trimmed(P::DistinguishedName);
    object.container = container(draft, &object);
    object.target_address = target(draft, &object);
    let is_mailbox = base.kind.recipient_type() == RecipientType::UserMailbox;
    object.location = if is_mailbox && draft.side == Side::Online {
        Location::Cloud
    } else {
        crate::connectors::files::location_of(base.kind)
    };
    attributes(import, index, &mut object);
    let draft = import.drafts.get(index)?;
    object.state = state(draft, &object);
    object.delivery = delivery(import, index, &object).map(Box::new);
    if base.kind.is_group() {
        object.group = Some(Box::new(group(import, index, &object)));
    }
    Some(object)
}

/// The unit, unless the DN tells it.
fn container(draft: &Draft, object: &RecipientObject) -> Option<std::sync::Arc<str>> {
    if object.distinguished_name.is_some() {
        return None;
    }
    let text = draft.text(P::OrganizationalUnit)?;
    Some(text.trim().into())
}

/// Where mail leaves for; an address of its own says nothing.
fn target(draft: &Draft, object: &RecipientObject) -> Option<Mailbox> {
    let mailbox = Mailbox::parse(&draft.address(P::ExternalEmailAddress)?).ok()?;
    let is_person_elsewhere = match object.kind.recipient_type() {
        RecipientType::MailUser | RecipientType::MailContact => true,
        RecipientType::UserMailbox
        | RecipientType::MailUniversalDistributionGroup
        | RecipientType::MailUniversalSecurityGroup
        | RecipientType::MailNonUniversalGroup
        | RecipientType::DynamicDistributionGroup
        | RecipientType::PublicFolder => false,
    };
    (is_person_elsewhere || mailbox.key() != object.primary.key()).then_some(mailbox)
}

fn state(draft: &Draft, object: &RecipientObject) -> ObjectState {
    const ACCOUNT_DISABLED: i64 = 2;
    let by_flag = matches!(
        object.attributes.get(Attribute::UserAccountControl),
        Some(Value::Integer(flags)) if flags & ACCOUNT_DISABLED != 0
    );
    let stated = draft
        .all(P::AccountDisabled)
        .find_map(|cell| convert::boolean(&cell.value));
    if stated.unwrap_or(by_flag) {
        ObjectState::Disabled
    } else {
        ObjectState::Enabled
    }
}

/// Stores what filters may ask for and what does not follow from the rest of the object.
fn attributes(import: &mut Import<'_>, index: usize, object: &mut RecipientObject) {
    let Some(draft) = import.drafts.get(index) else { return };
    let mut refused = Vec::new();
    let mut done: HashSet<Attribute> = HashSet::new();
    for cell in &draft.cells {
        let P::Held(attribute) = cell.property else { continue };
        if cell.with_display_names || !done.insert(attribute) {
            continue;
        }
        let value = match value(import, attribute, cell) {
            Ok(value) => value,
            Err(expected) => {
                refused.push((attribute, expected, cell.at));
                continue;
            }
        };
        let Some(value) = value else { continue };
        if object.value(attribute) != (&value).into() {
            object.attributes.set(attribute, Some(value));
        }
    }
    for (attribute, expected, at) in refused {
        import.refuse_value(attribute, expected, at);
    }
}

fn value(import: &Import<'_>, attribute: Attribute, cell: &Cell) -> Result<Option<Value>, &'static str> {
    let parsed = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => Value::parse(attribute, &text).map_err(|fault| fault.expected),
    };
    match attribute.value_type() {
        ValueType::Texts => {
            let texts = convert::texts(&cell.value, cell.joined);
            Ok(Value::texts(texts.iter().map(String::as_str)))
        }
        ValueType::Addresses => {
            let texts = convert::addresses(&cell.value, cell.joined);
            Ok(Value::texts(texts.iter().map(String::as_str)))
        }
        ValueType::Dns => {
            let names: Vec<String> = convert::references(&cell.value, cell.joined)
                .iter()
                .map(|spelled| import.dn_of(spelled))
                .collect();
            Ok(Value::texts(names.iter().map(String::as_str)))
        }
        ValueType::Dn => {
            let first = convert::references(&cell.value, convert::Joined::Never)
                .into_iter()
                .next();
            Ok(first.map(|spelled| Value::Text(import.dn_of(&spelled).into())))
        }
        ValueType::Address => parsed(convert::address(&cell.value)),
        ValueType::Boolean => Ok(convert::boolean(&cell.value).map(Value::Boolean)),
        ValueType::Size => Ok(convert::size(&cell.value)?.map(Value::Size)),
        ValueType::Time => Ok(convert::time(&cell.value)?.map(Value::Time)),
        ValueType::Guid => Ok(convert::text(&cell.value)
            .and_then(|text| convert::guid(&text))
            .map(|guid| Value::Text(guid.into()))),
        _ => parsed(convert::text(&cell.value)),
    }
}

fn delivery(import: &mut Import<'_>, index: usize, object: &RecipientObject) -> Option<DeliverySettings> {
    let accept_from = import.references(index, P::AcceptMessagesOnlyFromSendersOrMembers);
    let reject_from = import.references(index, P::RejectMessagesFromSendersOrMembers);
    let forwarding_address = import.references(index, P::ForwardingAddress).into_iter().next();
    let moderators = import.references(index, P::ModeratedBy);
    let bypass = import.references(index, P::BypassModerationFromSendersOrMembers);
    // Exports of recipients do not show it: rows of Get-RecipientPermission and Get-ADPermission do.
    let send_as = import.references(index, P::SendAs);
    import.counts.sender_list_entries += (accept_from.len() + reject_from.len()) as u64;
    import.counts.moderation_entries += (moderators.len() + bypass.len()) as u64;
    let draft = import.drafts.get(index)?;
    let truth = |property: P| draft.all(property).find_map(|cell| convert::boolean(&cell.value));
    let moderation = ModerationSettings {
        enabled: truth(P::ModerationEnabled).unwrap_or(false),
        moderators,
        bypass,
        bypass_nested: truth(P::BypassNestedModerationEnabled).unwrap_or(false),
        notify: notices(draft).unwrap_or_default(),
        ..ModerationSettings::default()
    };
    let required = truth(P::RequireSenderAuthenticationEnabled);
    // Exports print the property for every mailbox; there only the exception says something.
    let required = required.filter(|required| object.kind.is_group() || *required);
    let size = draft
        .all(P::MaxReceiveSize)
        .find_map(|cell| convert::size(&cell.value).ok().flatten());
    let both = truth(P::DeliverToMailboxAndForward);
    let forwarding_smtp_address = draft
        .address(P::ForwardingSmtpAddress)
        .and_then(|text| Mailbox::parse(&text).ok());
    let forwards = forwarding_address.is_some() || forwarding_smtp_address.is_some();
    let settings = DeliverySettings {
        accept_from,
        reject_from,
        require_sender_authentication: required,
        max_receive_size: size.filter(|octets| *octets != u64::MAX),
        forwarding_address,
        forwarding_smtp_address,
        deliver_and_forward: both.filter(|_| forwards),
        echo_to_sender: truth(P::EchoGroupMessageBackToSubscribedSender).filter(|echo| *echo),
        send_as,
        moderation: (moderation != ModerationSettings::default()).then(|| Box::new(moderation)),
    };
    (settings != DeliverySettings::default()).then_some(settings)
}

/// By name, or by the number serialised objects have: 0 never, 1 internal, 3 always.
fn notices(draft: &Draft) -> Option<ModerationNotice> {
    let text = draft.text(P::SendModerationNotifications)?;
    Some(match text.trim().to_lowercase().as_str() {
        "never" | "0" => ModerationNotice::Never,
        "internal" | "1" => ModerationNotice::Internal,
        "always" | "3" => ModerationNotice::Always,
        _ => return None,
    })
}

fn group(import: &mut Import<'_>, index: usize, object: &RecipientObject) -> GroupSettings {
    let members = if object.kind.is_dynamic() {
        Vec::new()
    } else {
        import.references(index, P::Members)
    };
    let managed_by = import.references(index, P::ManagedBy);
    let subscribers = import.references(index, P::Subscribers);
    import.counts.members += members.len() as u64;
    import.counts.owners += managed_by.len() as u64;
    let mut settings = GroupSettings {
        members,
        managed_by,
        ..GroupSettings::default()
    };
    let Some(draft) = import.drafts.get(index) else {
        return settings;
    };
    let truth = |property: P| draft.all(property).find_map(|cell| convert::boolean(&cell.value));
    settings.report_to_originator = truth(P::ReportToOriginatorEnabled).unwrap_or(true);
    settings.report_to_owner = truth(P::ReportToManagerEnabled).unwrap_or(false);
    settings.send_oof = truth(P::SendOofMessageToOriginatorEnabled).unwrap_or(false);
    settings.hidden_membership = truth(P::HiddenGroupMembershipEnabled).unwrap_or(false);
    settings.bcc_blocked = truth(P::BccBlocked).unwrap_or(false);
    settings.only_members_may_post = truth(P::AllowOnlyMembersToPost).unwrap_or(false);
    settings.subscribers = (!subscribers.is_empty()).then(|| {
        Box::new(Subscribers {
            expand: false,
            list: subscribers,
        })
    });
    if object.kind.is_dynamic() {
        let files = import.files;
        let name = |file: usize| files.get(file).cloned().unwrap_or_default();
        let converted = rule::convert_rule(draft, object.primary.as_str(), &name);
        settings.rule = converted.rule.map(Box::new);
        import.rows.push((object.id.clone(), converted.row));
        for finding in converted.findings {
            import.findings.push(finding);
        }
    }
    settings
}

impl Import<'_> {
    /// The DN of somebody named in an attribute that filters compare as one; else the name as it stands.
    fn dn_of(&self, spelled: &Spelled) -> String {
        let stated = spelled.0.iter().find(|text| DistinguishedName::parse(text).is_some());
        let found = || {
            let super::catalog::Found::Object(index) = self.catalog.find(spelled) else {
                return None;
            };
            let draft = self.drafts.get(index)?;
            let primary = || {
                self.bases
                    .get(index)?
                    .as_ref()
                    .map(|base| base.primary.as_str().to_owned())
            };
            draft.text(P::DistinguishedName).or_else(primary)
        };
        let stated = stated.cloned();
        stated.or_else(found).unwrap_or_else(|| spelled.shown().to_owned())
    }

    /// The list of a property, everybody once, by address where somebody was found.
    fn references(&mut self, index: usize, property: P) -> Vec<Reference> {
        let Some(draft) = self.drafts.get(index) else {
            return Vec::new();
        };
        let mut named: Vec<(Spelled, At)> = Vec::new();
        let has_names = draft
            .all(property)
            .any(|cell| cell.with_display_names && !cell.value.is_empty());
        for cell in draft.all(property) {
            let list = if cell.with_display_names {
                convert::named_references(&cell.value, cell.joined)
            } else {
                convert::references(&cell.value, cell.joined)
            };
            for spelled in list {
                // The same list once more with addresses explains the GUIDs that no file does.
                let is_explained =
                    has_names && !cell.with_display_names && spelled.0.iter().all(|text| convert::guid(text).is_some());
                if !is_explained || matches!(self.catalog.find(&spelled), super::catalog::Found::Object(_)) {
                    named.push((spelled, cell.at));
                }
            }
        }
        if let Some(rows) = self.links.remove(&(index, property)) {
            named.extend(rows);
        }
        self.bind(index, property, named)
    }

    /// A value no attribute takes is counted per attribute; the first one is shown.
    fn refuse_value(&mut self, attribute: Attribute, expected: &'static str, at: At) {
        let entry = self.refused_values.entry(attribute).or_insert((0, expected, at));
        entry.0 += 1;
    }

    /// Adds a finding about an object, at a place.
    pub(super) fn find(&mut self, code: Code, index: usize, message: String, at: At, proposal: Option<String>) {
        let title = match self.bases.get(index).and_then(Option::as_ref) {
            Some(base) => base.primary.as_str().to_owned(),
            None => self.drafts.get(index).map(Draft::title).unwrap_or_default(),
        };
        let file = self.files.get(at.file).cloned().unwrap_or_default();
        let mut finding = Finding::new(code, message)
            .about(title)
            .at(&file, bounded(at.line), bounded(at.column));
        finding.proposal = proposal;
        self.findings.push(finding);
    }
}

/// True if a value names a type instead of what it should hold, anywhere in it.
pub fn holds_type_name(value: &RawValue) -> bool {
    match value {
        RawValue::Text(text) => super::raw::is_type_name(text),
        RawValue::List(list) => list.iter().any(holds_type_name),
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) | RawValue::Object { .. } => false,
    }
}
