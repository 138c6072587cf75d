//! Objects as a directory file: the text that [`load`](super::load) reads back as the same objects.
//!
//! In: recipient objects. Out: one JSON text, an object per entry, keys as in the table of [`files`](super), values
//! that follow from others left out. Never: the source; whoever reads the folder names it.

use serde_json::{Map, Value as Json, json};

use super::object::location_of;
use super::property::{Named, Property as P};
use crate::connectors::document::units::show_duration;
use crate::directory::attribute::Attribute;
use crate::directory::delivery::{DeliverySettings, ModerationNotice, ModerationSettings, Reference};
use crate::directory::filter::parse_in;
use crate::directory::group::{
    ComparisonProfile, DynamicRule, FilterLanguage, GroupSettings, GuardSettings, RefreshMode, RuleCondition,
    StaleAction, StormSettings, Subscribers,
};
use crate::directory::recipient::{Location, ObjectState, RecipientObject};
use crate::directory::value::Value;

/// The text of one file. Equal objects in equal order give equal octets.
#[must_use]
pub fn text<'a>(objects: impl IntoIterator<Item = &'a RecipientObject>) -> String {
    let mut text = String::from("[");
    for (index, object) in objects.into_iter().enumerate() {
        text.push_str(if index == 0 { "\n  {" } else { ",\n  {" });
        for (place, (key, value)) in cells(object).into_iter().enumerate() {
            text.push_str(if place == 0 { "\n    " } else { ",\n    " });
            text.push_str(&Json::String(key).to_string());
            text.push_str(": ");
            value_into(&mut text, &value);
        }
        text.push_str("\n  }");
    }
    text.push_str("\n]\n");
    text
}

/// Lists of references stand one to a line: they are what people compare.
fn value_into(text: &mut String, value: &Json) {
    const SHORT: usize = 90;
    let line = value.to_string();
    match value {
        Json::Array(list) if line.len() > SHORT => {
            for (index, item) in list.iter().enumerate() {
                text.push_str(if index == 0 { "[\n      " } else { ",\n      " });
                text.push_str(&item.to_string());
            }
            text.push_str("\n    ]");
        }
        _ => text.push_str(&line),
    }
}

/// What a record states, in the order of reading.
struct Cells(Vec<(String, Json)>);

impl Cells {
    fn push(&mut self, property: P, value: impl Into<Json>) {
        self.0.push((property.key(), value.into()));
    }

    fn text(&mut self, property: P, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.push(property, value);
        }
    }

    fn list<T: ToString>(&mut self, property: P, list: &[T]) {
        if !list.is_empty() {
            self.push(property, list.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }

    fn truth(&mut self, property: P, value: bool) {
        if value {
            self.push(property, true);
        }
    }
}

fn cells(object: &RecipientObject) -> Vec<(String, Json)> {
    let mut cells = Cells(Vec::new());
    cells.push(P::Id, object.id.as_str());
    cells.push(P::RecipientTypeDetails, object.kind.recipient_type_details());
    cells.push(P::PrimarySmtpAddress, object.primary.as_str());
    cells.list(P::EmailAddresses, &object.proxies);
    if let Some(target) = &object.target_address {
        cells.push(P::ExternalEmailAddress, target.as_str());
    }
    if object.location != location_of(object.kind) {
        cells.push(
            P::Location,
            match object.location {
                Location::Cloud => "cloud",
                Location::OnPremises => "on_premises",
                Location::External => "external",
            },
        );
    }
    state(object, &mut cells);
    cells.text(P::Alias, object.alias.as_deref());
    cells.text(P::DisplayName, object.display_name.as_deref());
    cells.text(P::DistinguishedName, object.distinguished_name.as_deref());
    cells.text(P::OrganizationalUnit, object.container.as_deref());
    cells.text(P::LegacyExchangeDN, object.legacy_dn.as_deref());
    attributes(object, &mut cells);
    if let Some(delivery) = &object.delivery {
        delivery_settings(delivery, &mut cells);
    }
    if let Some(settings) = &object.group {
        group(settings, &mut cells);
    }
    cells.0
}

fn state(object: &RecipientObject, cells: &mut Cells) {
    let flags = [Attribute::UserAccountControl, Attribute::AccountEnabled];
    let has_flag = flags.iter().any(|flag| object.attributes.get(*flag).is_some());
    match object.state {
        // Said even where it is the default: flags that are stored may say something else.
        ObjectState::Enabled if has_flag => {
            cells.push(P::AccountDisabled, false);
        }
        ObjectState::Enabled => {}
        ObjectState::Disabled => cells.push(P::AccountDisabled, true),
        ObjectState::Deleted => cells.push(P::Deleted, true),
    }
}

fn attributes(object: &RecipientObject, cells: &mut Cells) {
    let mut shadowed = Map::new();
    for (attribute, value) in object.attributes.iter() {
        let written = match value {
            Value::Text(text) => json!(&**text),
            Value::Texts(texts) => texts.iter().map(|text| json!(&**text)).collect(),
            Value::Boolean(value) => json!(value),
            Value::Integer(value) => json!(value),
            Value::Size(u64::MAX) => json!("Unlimited"),
            Value::Size(value) => json!(value.to_string()),
            Value::Time(value) => json!(value.to_string()),
        };
        // A blank text is no cell of a record; as a table it is a value like others.
        let is_blank = matches!(value, Value::Text(text) if text.trim().is_empty());
        match P::named(attribute.name()) {
            Named::Known(P::Held(held)) if held == attribute && !is_blank => cells.push(P::Held(attribute), written),
            Named::Known(_) | Named::Unused(_) | Named::Unknown(_) => {
                shadowed.insert(attribute.name().to_owned(), written);
            }
        }
    }
    if !shadowed.is_empty() {
        cells.push(P::StoredAttributes, shadowed);
    }
}

fn delivery_settings(delivery: &DeliverySettings, cells: &mut Cells) {
    cells.list(P::AcceptMessagesOnlyFromSendersOrMembers, &delivery.accept_from);
    cells.list(P::RejectMessagesFromSendersOrMembers, &delivery.reject_from);
    if let Some(required) = delivery.require_sender_authentication {
        cells.push(P::RequireSenderAuthenticationEnabled, required);
    }
    if let Some(octets) = delivery.max_receive_size {
        cells.push(P::MaxReceiveSize, octets.to_string());
    }
    cells.text(
        P::ForwardingAddress,
        delivery.forwarding_address.as_ref().map(Reference::as_str),
    );
    if let Some(mailbox) = &delivery.forwarding_smtp_address {
        cells.push(P::ForwardingSmtpAddress, mailbox.as_str());
    }
    if let Some(both) = delivery.deliver_and_forward {
        cells.push(P::DeliverToMailboxAndForward, both);
    }
    if let Some(echo) = delivery.echo_to_sender {
        cells.push(P::EchoGroupMessageBackToSubscribedSender, echo);
    }
    cells.list(P::SendAs, &delivery.send_as);
    if let Some(moderation) = &delivery.moderation {
        moderation_settings(moderation, cells);
    }
}

fn moderation_settings(moderation: &ModerationSettings, cells: &mut Cells) {
    cells.truth(P::ModerationEnabled, moderation.enabled);
    cells.list(P::ModeratedBy, &moderation.moderators);
    cells.list(P::BypassModerationFromSendersOrMembers, &moderation.bypass);
    cells.truth(P::BypassNestedModerationEnabled, moderation.bypass_nested);
    match moderation.notify {
        ModerationNotice::Always => {}
        ModerationNotice::Internal => cells.push(P::SendModerationNotifications, "Internal"),
        ModerationNotice::Never => cells.push(P::SendModerationNotifications, "Never"),
    }
    if let Some(expiry) = moderation.expiry {
        cells.push(P::ModerationExpiry, show_duration(expiry));
    }
    if let Some(quorum) = moderation.quorum {
        cells.push(P::ModerationQuorum, quorum);
    }
    cells.list(P::ModerationSubstitutes, &moderation.substitutes);
    cells.text(P::ModerationLanguage, moderation.language.as_deref());
}

fn guard(limits: &GuardSettings, cells: &mut Cells) {
    for (property, number) in [
        (P::GuardShrinkSharePercent, limits.shrink_share_percent),
        (P::GuardShrinkCount, limits.shrink_count),
        (P::GuardGrowthSharePercent, limits.growth_share_percent),
        (P::GuardGrowthCount, limits.growth_count),
    ] {
        if let Some(number) = number {
            cells.push(property, number);
        }
    }
    if let Some(window) = limits.window {
        cells.push(P::GuardWindow, show_duration(window));
    }
}

fn storm(limits: &StormSettings, cells: &mut Cells) {
    if let Some(action) = limits.action {
        cells.push(P::StormAction, action.word());
    }
    for (property, number) in [(P::StormMembers, limits.members), (P::StormReplies, limits.replies)] {
        if let Some(number) = number {
            cells.push(property, number);
        }
    }
    for (property, time) in [(P::StormWindow, limits.window), (P::StormBrake, limits.brake)] {
        if let Some(time) = time {
            cells.push(property, show_duration(time));
        }
    }
}

fn group(settings: &GroupSettings, cells: &mut Cells) {
    cells.list(P::ManagedBy, &settings.managed_by);
    cells.list(P::Members, &settings.members);
    if !settings.report_to_originator {
        cells.push(P::ReportToOriginatorEnabled, false);
    }
    cells.truth(P::ReportToManagerEnabled, settings.report_to_owner);
    cells.truth(P::SendOofMessageToOriginatorEnabled, settings.send_oof);
    cells.truth(P::HiddenGroupMembershipEnabled, settings.hidden_membership);
    cells.truth(P::BccBlocked, settings.bcc_blocked);
    cells.truth(P::AllowOnlyMembersToPost, settings.only_members_may_post);
    if let Some(dynamic) = &settings.rule {
        rule(dynamic, cells);
    }
    match settings.refresh {
        None => {}
        Some(RefreshMode::OnChange) => cells.push(P::Refresh, "on_change"),
        Some(RefreshMode::Interval(every)) => cells.push(P::Refresh, show_duration(every)),
    }
    if let Some(age) = settings.max_age {
        cells.push(P::MaxAge, show_duration(age));
    }
    match settings.on_stale {
        None => {}
        Some(StaleAction::Serve) => cells.push(P::OnStale, "serve"),
        Some(StaleAction::Defer) => cells.push(P::OnStale, "defer"),
        Some(StaleAction::Refuse) => cells.push(P::OnStale, "refuse"),
    }
    if let Some(limits) = settings.guard.as_deref() {
        guard(limits, cells);
    }
    if let Some(limits) = settings.storm.as_deref() {
        storm(limits, cells);
    }
    if let Some(subscribers) = &settings.subscribers {
        let Subscribers { expand, list } = &**subscribers;
        cells.list(P::Subscribers, list);
        cells.truth(P::ExpandSubscribers, *expand);
    }
}

fn rule(rule: &DynamicRule, cells: &mut Cells) {
    match &rule.condition {
        RuleCondition::Custom { language, text } => {
            cells.push(P::RecipientFilter, &**text);
            if *language != FilterLanguage::default() {
                cells.push(P::Language, language.word());
            }
            cells.truth(P::KeepUnreadableFilter, parse_in(*language, text).is_err());
        }
        RuleCondition::Precanned(precanned) => {
            let included = precanned.included.iter().map(|word| json!(word)).collect::<Vec<_>>();
            cells.push(P::IncludedRecipients, included);
            cells.list(P::ConditionalCompany, &precanned.company);
            cells.list(P::ConditionalDepartment, &precanned.department);
            cells.list(P::ConditionalStateOrProvince, &precanned.state_or_province);
            for condition in &precanned.custom_attributes {
                cells.list(P::ConditionalCustomAttribute(condition.number), &condition.values);
            }
        }
    }
    cells.text(P::RecipientContainer, rule.recipient_container.as_deref());
    match rule.comparison {
        None => {}
        Some(ComparisonProfile::ActiveDirectory) => cells.push(P::ComparisonProfile, "active_directory"),
        Some(ComparisonProfile::Cloud) => cells.push(P::ComparisonProfile, "cloud"),
    }
}
