//! Precanned rules: `IncludedRecipients` and the `Conditional…` parameters.
//!
//! In: the parameters of New-DynamicDistributionGroup. Out: the exact text Exchange stores for them, and the parameters
//! behind such a text.

mod recognise;

pub use recognise::recognised;

use serde::{Deserialize, Serialize};

use crate::directory::attribute::Attribute;

/// One word of `IncludedRecipients`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IncludedRecipients {
    /// Alone; the union of all others.
    AllRecipients,
    MailboxUsers,
    Resources,
    MailContacts,
    MailGroups,
    MailUsers,
}

/// A rule stated by parameters instead of a filter.
///
/// Values of one property are alternatives, properties are joined by AND, there are no wildcards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Precanned {
    pub included: Vec<IncludedRecipients>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub company: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub department: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state_or_province: Vec<String>,
    /// `ConditionalCustomAttribute1` to `15`, by number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_attributes: Vec<ConditionalCustomAttribute>,
}

/// `ConditionalCustomAttributeN`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionalCustomAttribute {
    /// 1 to 15.
    pub number: u8,
    pub values: Vec<String>,
}

const USER_MAILBOX: &str = "(RecipientType -eq 'UserMailbox')";
const MAIL_CONTACT: &str = "(RecipientType -eq 'MailContact')";
const MAIL_USER: &str = "(RecipientType -eq 'MailUser')";
const RESOURCES: &str = "((RecipientType -eq 'UserMailbox') -and (ResourceMetaData -like 'ResourceType:*') \
     -and (ResourceSearchProperties -ne $null))";
const MAIL_GROUPS: &str = "((RecipientType -eq 'MailUniversalDistributionGroup') \
     -or (RecipientType -eq 'MailUniversalSecurityGroup') -or (RecipientType -eq 'MailNonUniversalGroup') \
     -or (RecipientType -eq 'DynamicDistributionGroup'))";

impl Precanned {
    /// The filter text as Exchange would store it, without the system exclusions it appends.
    ///
    /// The forms for all recipients and for one type with conditions were seen in stored filters; other
    /// combinations are built the same way. An attribute number outside 1 to 15 adds a condition that
    /// cannot be parsed, so that the rule is refused rather than widened.
    pub fn text(&self) -> String {
        let mut conditions = Vec::new();
        let fixed = [
            (Attribute::Company.name(), &self.company),
            (Attribute::Department.name(), &self.department),
            (Attribute::StateOrProvince.name(), &self.state_or_province),
        ];
        for (name, values) in fixed {
            conditions.extend(any_of(name, values));
        }
        for condition in &self.custom_attributes {
            let name = match Attribute::custom(condition.number) {
                Some(attribute) => attribute.name().to_owned(),
                None => format!("CustomAttribute{}", condition.number),
            };
            conditions.extend(any_of(&name, &condition.values));
        }
        conditions.push(format!("({})", self.types()));
        match conditions.as_slice() {
            [only] => only.clone(),
            several => format!("({})", several.join(" -and ")),
        }
    }

    fn types(&self) -> String {
        if self.included.is_empty() || self.included.contains(&IncludedRecipients::AllRecipients) {
            return format!(
                "({USER_MAILBOX} -or {MAIL_CONTACT} -or {MAIL_USER} -or ({MAIL_GROUPS}) -or ({RESOURCES}))"
            );
        }
        let blocks: Vec<&str> = self
            .included
            .iter()
            .map(|included| match included {
                // Left over for completeness: handled above.
                IncludedRecipients::AllRecipients => MAIL_USER,
                IncludedRecipients::MailboxUsers => USER_MAILBOX,
                IncludedRecipients::Resources => RESOURCES,
                IncludedRecipients::MailContacts => MAIL_CONTACT,
                IncludedRecipients::MailGroups => MAIL_GROUPS,
                IncludedRecipients::MailUsers => MAIL_USER,
            })
            .collect();
        format!("({})", blocks.join(" -or "))
    }
}

/// `(Department -eq 'A')`, or the alternatives in parentheses; nothing for no value.
fn any_of(name: &str, values: &[String]) -> Option<String> {
    let tests: Vec<String> = values
        .iter()
        .map(|value| format!("({name} -eq '{}')", value.replace('\'', "''")))
        .collect();
    match tests.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(format!("({})", several.join(" -or "))),
    }
}
