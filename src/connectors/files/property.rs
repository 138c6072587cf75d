//! Which property a key or column means.
//!
//! In: a name in any case, with or without underscores. Out: a [`Property`], or the name that was probably meant.

use crate::connectors::document::nearest;
use crate::directory::attribute::Attribute;
use crate::directory::documented::DOCUMENTED;

macro_rules! properties {
    ($($variant:ident $(= $other:literal)*;)*) => {
        /// What a file may say about an object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Property {
            $(
                #[doc = concat!("`", stringify!($variant), "`")]
                $variant,
            )*
            /// `ConditionalCustomAttributeN`, 1 to 15.
            ConditionalCustomAttribute(u8),
            /// Any other property that filters may ask for.
            Held(Attribute),
        }

        /// Properties with a meaning of their own; the name first, then others for it.
        const OWN: &[(Property, &[&str])] = &[$( (Property::$variant, &[stringify!($variant) $(, $other)*]), )*];
    };
}

properties! {
    // Who it is.
    Id = "ObjectId";
    RecipientTypeDetails;
    RecipientType;
    PrimarySmtpAddress;
    EmailAddresses;
    ExternalEmailAddress = "TargetAddress" = "RemoteRoutingAddress" = "RawExternalEmailAddress";
    Location;
    AccountDisabled;
    Deleted;
    Alias;
    DisplayName;
    DistinguishedName;
    OrganizationalUnit = "Container";
    LegacyExchangeDN;
    // Who may write, where it goes.
    AcceptMessagesOnlyFromSendersOrMembers = "AcceptMessagesOnlyFrom" = "AcceptMessagesOnlyFromDLMembers";
    RejectMessagesFromSendersOrMembers = "RejectMessagesFrom" = "RejectMessagesFromDLMembers";
    RequireSenderAuthenticationEnabled = "RequireAllSendersAreAuthenticated";
    MaxReceiveSize;
    ForwardingAddress;
    ForwardingSmtpAddress;
    DeliverToMailboxAndForward;
    EchoGroupMessageBackToSubscribedSender;
    ModerationEnabled;
    ModeratedBy;
    BypassModerationFromSendersOrMembers = "BypassModerationFrom" = "BypassModerationFromDLMembers";
    BypassNestedModerationEnabled;
    SendModerationNotifications;
    ModerationExpiry;
    ModerationQuorum;
    ModerationSubstitutes;
    ModerationLanguage;
    SendAs;
    // Groups.
    Members;
    ManagedBy;
    ReportToOriginatorEnabled;
    ReportToManagerEnabled = "ReportToOwner";
    SendOofMessageToOriginatorEnabled;
    HiddenGroupMembershipEnabled;
    BccBlocked;
    GuardShrinkSharePercent;
    GuardShrinkCount;
    GuardGrowthSharePercent;
    GuardGrowthCount;
    GuardWindow;
    StormAction;
    StormMembers;
    StormReplies;
    StormWindow;
    StormBrake;
    // Dynamic groups.
    RecipientFilter;
    Language = "FilterLanguage";
    KeepUnreadableFilter;
    RecipientContainer;
    IncludedRecipients;
    ConditionalCompany;
    ConditionalDepartment;
    ConditionalStateOrProvince;
    ComparisonProfile;
    Refresh;
    MaxAge;
    OnStale;
    // Microsoft 365 groups.
    Subscribers;
    ExpandSubscribers;
    AllowOnlyMembersToPost;
    // Stored values of attributes whose names are settings above.
    StoredAttributes;
}

/// What a name turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A property we read.
    Known(Property),
    /// Exchange has it; nothing here depends on it.
    Unused(&'static str),
    /// Nothing we know; the name that was probably meant, in the style of the one that was written.
    Unknown(Option<String>),
}

impl Property {
    /// Finds a property.
    #[must_use]
    pub fn named(name: &str) -> Named {
        let folded = fold(name);
        let own = OWN
            .iter()
            .find(|(_, names)| names.iter().any(|each| fold(each) == folded));
        if let Some((property, _)) = own {
            return Named::Known(*property);
        }
        let number = folded
            .strip_prefix("conditionalcustomattribute")
            .and_then(|number| number.parse().ok());
        if let Some(number) = number.filter(|number| (1..=15).contains(number)) {
            return Named::Known(Self::ConditionalCustomAttribute(number));
        }
        // MemberOfGroup follows from the members of groups.
        let held = |attribute: &&Attribute| fold(attribute.name()) == folded && **attribute != Attribute::MemberOfGroup;
        if let Some(attribute) = Attribute::ALL.iter().find(held) {
            return Named::Known(Self::Held(*attribute));
        }
        if let Some(row) = DOCUMENTED.iter().find(|row| fold(row.name) == folded) {
            return Named::Unused(row.name);
        }
        Named::Unknown(suggestion(name, &folded))
    }

    /// Exchange's name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::ConditionalCustomAttribute(number) => format!("ConditionalCustomAttribute{number}"),
            Self::Held(attribute) => attribute.name().to_owned(),
            own => format!("{own:?}"),
        }
    }

    /// The name as TOML files write it.
    #[must_use]
    pub fn key(self) -> String {
        snake(&self.name())
    }

    /// True if only a group has it.
    #[must_use]
    pub fn is_of_groups(self) -> bool {
        matches!(
            self,
            Self::Members
                | Self::ReportToOriginatorEnabled
                | Self::ReportToManagerEnabled
                | Self::SendOofMessageToOriginatorEnabled
                | Self::HiddenGroupMembershipEnabled
                | Self::BccBlocked
                | Self::GuardShrinkSharePercent
                | Self::GuardShrinkCount
                | Self::GuardGrowthSharePercent
                | Self::GuardGrowthCount
                | Self::GuardWindow
                | Self::StormAction
                | Self::StormMembers
                | Self::StormReplies
                | Self::StormWindow
                | Self::StormBrake
                | Self::Subscribers
                | Self::ExpandSubscribers
                | Self::AllowOnlyMembersToPost
        ) || self.is_of_dynamic_groups()
    }

    /// True if only a dynamic group has it.
    #[must_use]
    pub fn is_of_dynamic_groups(self) -> bool {
        matches!(
            self,
            Self::RecipientFilter
                | Self::Language
                | Self::KeepUnreadableFilter
                | Self::RecipientContainer
                | Self::ComparisonProfile
                | Self::Refresh
                | Self::MaxAge
                | Self::OnStale
        ) || self.is_precanned()
    }

    /// True if it is part of a precanned condition.
    #[must_use]
    pub fn is_precanned(self) -> bool {
        matches!(
            self,
            Self::IncludedRecipients
                | Self::ConditionalCompany
                | Self::ConditionalDepartment
                | Self::ConditionalStateOrProvince
                | Self::ConditionalCustomAttribute(_)
        )
    }
}

fn suggestion(written: &str, folded: &str) -> Option<String> {
    let held = Attribute::ALL.iter().map(|attribute| attribute.name());
    let names: Vec<&str> = OWN
        .iter()
        .flat_map(|(_, names)| names.iter().copied())
        .chain(held)
        .collect();
    let folds: Vec<String> = names.iter().map(|name| fold(name)).collect();
    let near = nearest(folded, folds.iter().map(String::as_str))?;
    let meant = names.iter().find(|name| fold(name) == near)?;
    let has_capitals = written.chars().any(char::is_uppercase);
    Some(if has_capitals {
        (*meant).to_owned()
    } else {
        snake(meant)
    })
}

fn fold(name: &str) -> String {
    let keep = |c: &char| !matches!(c, '_' | '-' | ' ');
    name.chars().filter(keep).map(|c| c.to_ascii_lowercase()).collect()
}

/// `LegacyExchangeDN` → `legacy_exchange_dn`.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::with_capacity(name.len() + 8);
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| letters.get(index));
        let after = letters.get(index + 1);
        let begins_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| !before.is_ascii_uppercase() || after.is_some_and(char::is_ascii_lowercase));
        if begins_word {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_style() {
        for name in ["primary_smtp_address", "PrimarySmtpAddress", "PRIMARYSMTPADDRESS"] {
            assert_eq!(Property::named(name), Named::Known(Property::PrimarySmtpAddress));
        }
        for (name, key) in [
            ("LegacyExchangeDN", "legacy_exchange_dn"),
            ("CustomAttribute12", "custom_attribute12"),
            ("WhenCreatedUTC", "when_created_utc"),
            ("ConditionalCustomAttribute3", "conditional_custom_attribute3"),
            ("Co", "co"),
        ] {
            let Named::Known(property) = Property::named(name) else {
                panic!("{name}")
            };
            assert_eq!(property.key(), key);
            assert_eq!(Property::named(key), Named::Known(property));
        }
    }

    #[test]
    fn every_name_reads_back() {
        for (property, names) in OWN {
            for name in *names {
                assert_eq!(Property::named(name), Named::Known(*property));
                assert_eq!(Property::named(&snake(name)), Named::Known(*property));
            }
        }
    }

    #[test]
    fn unknown_and_unused_names() {
        let meant = |name| match Property::named(name) {
            Named::Unknown(meant) => meant,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(meant("primary_smtp_adress").as_deref(), Some("primary_smtp_address"));
        assert_eq!(meant("PrimarySmtpAdress").as_deref(), Some("PrimarySmtpAddress"));
        assert_eq!(meant("members_of").as_deref(), Some("members"));
        assert_eq!(meant("qqqqqqqqq"), None);
        assert_eq!(Property::named("ThrottlingPolicy"), Named::Unused("ThrottlingPolicy"));
        assert_eq!(Property::named("MemberOfGroup"), Named::Unused("MemberOfGroup"));
    }
}
