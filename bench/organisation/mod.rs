//! Organisation: the seeded directories that benchmarks measure.
//!
//! In: a seed, numbers of people and groups, what the groups' filters are like. Out: recipient objects one by one,
//! each the same every time it is asked for; and the same data and filters for OpenLDAP.
//! Never: random; all objects in memory at once, unless the caller keeps them.
//!
//! Every person has three SMTP addresses, one X500 address, a DN, a GUID and 25 attributes: six unique ones
//! (Alias, DisplayName, SamAccountName, UserPrincipalName, Phone, CustomAttribute1), ten of up to 10,000 distinct
//! values, nine of a few.

// Every example compiles this module for itself and uses its own part of it.
#![allow(dead_code)]

pub mod chance;
pub mod ldif;
pub mod rules;
pub mod words;

use std::sync::Arc;

use muster::directory::attribute::Attribute;
use muster::directory::group::{DynamicRule, GroupSettings, RuleCondition};
use muster::directory::value::{Attributes, Value};
use muster::directory::{Location, ObjectId, ProxyAddress, RecipientKind, RecipientObject, SourceId};
use muster::mail::address::Mailbox;

use chance::Chance;
use rules::{Mix, Rule, RuleMaker};
use words::Pool;

pub const DOMAIN: &str = "contoso.example";
const CLOUD: &str = "contoso.mail.onmicrosoft.example";
/// People who are somebody's manager: the column `Manager` has no more distinct values.
const MANAGERS_MAX: usize = 9_900;

/// A made-up organisation.
pub struct Organisation {
    seed: u64,
    people: usize,
    groups: usize,
    wide: Vec<Pool>,
    few: Vec<Pool>,
    skills: Pool,
    rules: RuleMaker,
    source: SourceId,
}

impl Organisation {
    /// Exchange Online's ceiling of 3,000 dynamic groups over a million recipients.
    pub fn large() -> Self {
        Self::new(1, 1_000_000, 3_000, Mix::Broad)
    }

    /// As many dynamic groups as recipients: lists of teams.
    pub fn many_groups() -> Self {
        Self::new(2, 100_000, 100_000, Mix::Narrow)
    }

    /// Any size.
    pub fn new(seed: u64, people: usize, groups: usize, mix: Mix) -> Self {
        Self {
            seed,
            people,
            groups,
            wide: words::wide(),
            few: words::few(),
            skills: words::skills(),
            rules: RuleMaker::new(seed, mix),
            source: SourceId::new("bench"),
        }
    }

    /// Who owns all objects.
    pub fn source(&self) -> &SourceId {
        &self.source
    }

    /// Recipients that are no groups.
    pub fn people(&self) -> usize {
        self.people
    }

    /// Dynamic groups.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Everybody and every group, people first.
    pub fn objects(&self) -> impl Iterator<Item = RecipientObject> + '_ {
        (0..self.people)
            .map(|number| self.person(number))
            .chain((0..self.groups).map(|number| self.group(number)))
    }

    /// One person as first loaded.
    pub fn person(&self, number: usize) -> RecipientObject {
        let mut chance = Chance::new(self.seed, number as u64);
        let kind = kind_of(&mut chance);
        let login = format!("{}{number}", words::name(number % 9_973, 2).to_lowercase());
        let primary = mailbox(&format!("{login}@{DOMAIN}"));
        let mut object = RecipientObject::new(
            ObjectId::new(guid(self.seed, number as u64)),
            kind,
            self.source.clone(),
            primary,
        );
        let mut attributes = Attributes::default();
        let first = text(&mut attributes, self.pool(Attribute::FirstName), &mut chance);
        let last = text(&mut attributes, self.pool(Attribute::LastName), &mut chance);
        for pool in self.wide.iter().skip(2).chain(&self.few) {
            text(&mut attributes, pool, &mut chance);
        }
        let skills: Vec<Arc<str>> = (0..=chance.below(3))
            .map(|_| self.skills.value(chance.skewed(30)).clone())
            .collect();
        attributes.set(Attribute::ExtensionCustomAttribute1, Some(Value::Texts(skills.into())));
        attributes.set(
            Attribute::HiddenFromAddressListsEnabled,
            Some(Value::Boolean(chance.percent(3))),
        );
        let manager = chance.below(self.people.min(MANAGERS_MAX));
        attributes.set(Attribute::Manager, Some(Value::Text(self.dn(manager).into())));
        attributes.set(
            Attribute::SamAccountName,
            Some(Value::Text(format!("u{number:07}").into())),
        );
        attributes.set(
            Attribute::UserPrincipalName,
            Some(Value::Text(format!("{login}@corp.{DOMAIN}").into())),
        );
        attributes.set(Attribute::Phone, Some(Value::Text(phone(number).into())));
        attributes.set(Attribute::CustomAttribute1, Some(Value::Text(employee(number).into())));
        object.attributes = attributes;
        object.proxies = Box::new([
            ProxyAddress::Smtp(mailbox(&format!(
                "{}.{}.{number}@{DOMAIN}",
                first.to_lowercase(),
                last.to_lowercase()
            ))),
            ProxyAddress::Smtp(mailbox(&format!("{login}@{CLOUD}"))),
            ProxyAddress::X500(format!("/o=Contoso/ou=Exchange Administrative Group/cn=Recipients/cn={login}").into()),
        ]);
        object.display_name = Some(format!("{first} {last} {number}").into());
        object.distinguished_name = Some(self.dn(number).into());
        object.alias = Some(login.as_str().into());
        let away = |domain: &str| Some(mailbox(&format!("{login}@{domain}")));
        (object.location, object.target_address) = match kind {
            RecipientKind::RemoteUserMailbox => (Location::Cloud, away(CLOUD)),
            RecipientKind::MailUser | RecipientKind::MailContact => (Location::External, away("partner.example")),
            _ => (Location::OnPremises, None),
        };
        object
    }

    /// One person after the `revision`th change: another department, title or cost centre.
    pub fn changed(&self, number: usize, revision: usize) -> RecipientObject {
        let mut object = self.person(number);
        let columns = [
            Attribute::Department,
            Attribute::Title,
            Attribute::CustomAttribute2,
            Attribute::Company,
        ];
        let pool = self.pool(columns[revision % columns.len()]);
        let mut chance = Chance::new(self.seed ^ 0x5EED, (number * 1_009 + revision) as u64);
        text(&mut object.attributes, pool, &mut chance);
        object
    }

    /// One dynamic group.
    pub fn group(&self, number: usize) -> RecipientObject {
        let id = ObjectId::new(guid(!self.seed, number as u64));
        let address = mailbox(&format!("dynamic-{number}@{DOMAIN}"));
        let mut object = RecipientObject::new(
            id,
            RecipientKind::DynamicDistributionGroup,
            self.source.clone(),
            address,
        );
        object.alias = Some(format!("dynamic-{number}").into());
        object.display_name = Some(format!("Dynamic group {number}").into());
        object.distinguished_name = Some(format!("CN=dynamic-{number},OU=Groups,DC=contoso,DC=example").into());
        let (language, text) = self.rule(number).text();
        let condition = RuleCondition::Custom {
            language,
            text: text.into(),
        };
        object.group = Some(Box::new(GroupSettings {
            rule: Some(Box::new(DynamicRule {
                condition,
                recipient_container: None,
                comparison: None,
                remote_mailboxes_match_user_mailbox: false,
            })),
            ..GroupSettings::default()
        }));
        object
    }

    /// The rule of one dynamic group.
    pub fn rule(&self, number: usize) -> Rule {
        self.rules.rule(self, number)
    }

    /// The pool of a column; one of [`words::wide`] or [`words::few`].
    pub fn pool(&self, attribute: Attribute) -> &Pool {
        let mut pools = self.wide.iter().chain(&self.few);
        pools
            .find(|pool| pool.attribute == attribute)
            .expect("a column with a pool")
    }

    /// Columns of up to 10,000 values.
    pub fn wide(&self) -> &[Pool] {
        &self.wide
    }

    /// Columns of a few values.
    pub fn few(&self) -> &[Pool] {
        &self.few
    }

    fn dn(&self, number: usize) -> String {
        format!(
            "CN=person-{number},OU=Site {:03},OU=Users,DC=contoso,DC=example",
            number % 200
        )
    }
}

/// `+49 30 1234567`, another one for every person.
pub fn phone(number: usize) -> String {
    format!("+49 {} {:07}", 30 + number % 70, number * 7 % 10_000_000)
}

/// `E00123456`.
pub fn employee(number: usize) -> String {
    format!("E{number:08}")
}

fn kind_of(chance: &mut Chance) -> RecipientKind {
    match chance.below(100) {
        0..60 => RecipientKind::UserMailbox,
        60..85 => RecipientKind::RemoteUserMailbox,
        85..90 => RecipientKind::MailContact,
        90..94 => RecipientKind::MailUser,
        94..97 => RecipientKind::SharedMailbox,
        _ => RecipientKind::RoomMailbox,
    }
}

/// Sets one column to a value of its pool and says which.
fn text(attributes: &mut Attributes, pool: &Pool, chance: &mut Chance) -> Arc<str> {
    let value = pool.value(chance.skewed(pool.len())).clone();
    attributes.set(pool.attribute, Some(Value::Text(value.clone())));
    value
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a generated address is one")
}

fn guid(seed: u64, number: u64) -> String {
    let mut chance = Chance::new(seed ^ 0x1D, number);
    let high = chance.next();
    // The number itself keeps GUIDs apart.
    uuid_text((u128::from(high) << 64) | u128::from(number))
}

fn uuid_text(bits: u128) -> String {
    uuid::Uuid::from_u128(bits).hyphenated().to_string()
}
