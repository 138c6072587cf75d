//! The properties a recipient object can answer for, by their Exchange names.
//!
//! In: a name from a filter or an export. Out: an [`Attribute`] we hold, a documented property we do not
//! hold, or an unknown name with the one that was probably meant. Never: an unknown name read as empty.

use std::fmt;

use super::documented::{DOCUMENTED, Documented, documented};
use super::names;
use super::value::ValueType;

macro_rules! attributes {
    ($($(#[$about:meta])* $variant:ident: $type:expr;)*) => {
        /// A property of the object model.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Attribute {
            $($(#[$about])* $variant,)*
        }

        impl Attribute {
            /// Every attribute held.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Their names, in the same order.
            pub(super) const NAMES: &'static [&'static str] = &[$(stringify!($variant),)*];

            /// The name Exchange uses.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            /// What kind of value it has.
            pub fn value_type(self) -> ValueType {
                match self {
                    $(Self::$variant => $type,)*
                }
            }
        }
    };
}

use ValueType as T;

attributes! {
    // What it is; computed from the kind unless the source states it.
    RecipientType: T::Enumeration(names::RECIPIENT_TYPE);
    RecipientTypeDetails: T::Enumeration(names::RECIPIENT_TYPE_DETAILS);
    PreviousRecipientTypeDetails: T::Enumeration(names::RECIPIENT_TYPE_DETAILS);
    RecipientDisplayType: T::Enumeration(names::RECIPIENT_DISPLAY_TYPE);
    RemoteRecipientType: T::Flags(names::REMOTE_RECIPIENT_TYPE);
    ObjectClass: T::Texts;
    ObjectCategory: T::Texts;
    GroupType: T::Flags(names::GROUP_TYPE);
    UserAccountControl: T::Flags(names::USER_ACCOUNT_CONTROL);
    ExchangeUserAccountControl: T::Flags(names::USER_ACCOUNT_CONTROL);
    ExchangeVersion: T::Integer;
    // Names.
    Name: T::Text;
    RawName: T::Text;
    CommonName: T::Text;
    DisplayName: T::Text;
    SimpleDisplayName: T::Text;
    PhoneticDisplayName: T::Text;
    FirstName: T::Text;
    LastName: T::Text;
    Initials: T::Text;
    Alias: T::Text;
    SamAccountName: T::Text;
    UserPrincipalName: T::Text;
    // Identity.
    DistinguishedName: T::Dn;
    Id: T::Dn;
    LegacyExchangeDN: T::Text;
    Guid: T::Guid;
    ExchangeGuid: T::Guid;
    ExternalDirectoryObjectId: T::Guid;
    ImmutableId: T::Text;
    IsDirSynced: T::Boolean;
    // Addresses.
    PrimarySmtpAddress: T::Addresses;
    EmailAddresses: T::Addresses;
    WindowsEmailAddress: T::Address;
    ExternalEmailAddress: T::Address;
    RawExternalEmailAddress: T::Address;
    ForwardingSmtpAddress: T::Address;
    EmailAddressPolicyEnabled: T::Boolean;
    HiddenFromAddressListsEnabled: T::Boolean;
    // Person.
    Title: T::Text;
    Department: T::Text;
    Company: T::Text;
    Office: T::Text;
    Manager: T::Dn;
    AssistantName: T::Text;
    StreetAddress: T::Text;
    PostOfficeBox: T::Texts;
    City: T::Text;
    StateOrProvince: T::Text;
    PostalCode: T::Text;
    C: T::Text;
    Co: T::Text;
    CountryCode: T::Integer;
    CountryOrRegion: T::Country;
    UsageLocation: T::Country;
    Phone: T::Text;
    OtherTelephone: T::Texts;
    MobilePhone: T::Text;
    HomePhone: T::Text;
    Pager: T::Text;
    Fax: T::Text;
    WebPage: T::Text;
    Notes: T::Text;
    Description: T::Texts;
    // Custom.
    CustomAttribute1: T::Text;
    CustomAttribute2: T::Text;
    CustomAttribute3: T::Text;
    CustomAttribute4: T::Text;
    CustomAttribute5: T::Text;
    CustomAttribute6: T::Text;
    CustomAttribute7: T::Text;
    CustomAttribute8: T::Text;
    CustomAttribute9: T::Text;
    CustomAttribute10: T::Text;
    CustomAttribute11: T::Text;
    CustomAttribute12: T::Text;
    CustomAttribute13: T::Text;
    CustomAttribute14: T::Text;
    CustomAttribute15: T::Text;
    ExtensionCustomAttribute1: T::Texts;
    ExtensionCustomAttribute2: T::Texts;
    ExtensionCustomAttribute3: T::Texts;
    ExtensionCustomAttribute4: T::Texts;
    ExtensionCustomAttribute5: T::Texts;
    // Mailbox.
    ServerName: T::Text;
    Database: T::Dn;
    MailboxPlan: T::Dn;
    ArchiveGuid: T::Guid;
    ArchiveName: T::Texts;
    LitigationHoldEnabled: T::Boolean;
    HasActiveSyncDevicePartnership: T::Boolean;
    IsHierarchyReady: T::Boolean;
    ResourceType: T::Enumeration(names::RESOURCE_TYPE);
    ResourceMetaData: T::Texts;
    ResourceSearchProperties: T::Texts;
    ResourceCapacity: T::Integer;
    WhenCreated: T::Time;
    WhenCreatedUTC: T::Time;
    WhenChanged: T::Time;
    WhenChangedUTC: T::Time;
    WhenMailboxCreated: T::Time;
    // Settings of delivery and of groups; computed from them.
    AcceptMessagesOnlyFrom: T::Dns;
    AcceptMessagesOnlyFromDLMembers: T::Dns;
    RejectMessagesFrom: T::Dns;
    RejectMessagesFromDLMembers: T::Dns;
    RequireAllSendersAreAuthenticated: T::Boolean;
    MaxReceiveSize: T::Size;
    MaxSendSize: T::Size;
    ForwardingAddress: T::Dn;
    DeliverToMailboxAndForward: T::Boolean;
    GrantSendOnBehalfTo: T::Dns;
    ModerationEnabled: T::Boolean;
    ModeratedBy: T::Dns;
    ManagedBy: T::Dns;
    Members: T::Dns;
    MemberOfGroup: T::Dns;
    AddressListMembership: T::Dns;
    MemberJoinRestriction: T::Enumeration(names::MEMBERSHIP_RESTRICTION);
    MemberDepartRestriction: T::Enumeration(names::MEMBERSHIP_RESTRICTION);
    ReportToManagerEnabled: T::Boolean;
    ReportToOriginatorEnabled: T::Boolean;
    SendOofMessageToOriginatorEnabled: T::Boolean;
    HiddenGroupMembershipEnabled: T::Boolean;
    RecipientFilter: T::Text;
    RecipientContainer: T::Dn;
    // What LDAP and Entra rules ask and Exchange does not document.
    ServerLegacyDN: T::Text;
    ProtocolSettings: T::Texts;
    ProvisioningFlags: T::Integer;
    ObjectSid: T::Text;
    SamAccountType: T::Integer;
    LastLogon: T::Integer;
    ObjectId: T::Guid;
    AccountEnabled: T::Boolean;
    UserType: T::Text;
    EmployeeId: T::Text;
    EmployeeHireDate: T::Time;
    PreferredLanguage: T::Text;
    PasswordPolicies: T::Text;
    OnPremisesSecurityIdentifier: T::Text;
    OtherMails: T::Texts;
    SipProxyAddress: T::Text;
    /// Each as [`AssignedPlan`](super::fields::AssignedPlan) writes it.
    AssignedPlans: T::Texts;
    /// Each as [`extension_text`](super::fields::extension_text) writes it.
    ExtensionProperties: T::Texts;
    /// Ours: `MemberOfGroup` over nested groups; compiled only if the settings allow it.
    MemberOfGroupRecursive: T::Dns;
}

impl Attribute {
    /// Finds an attribute by its Exchange name, ignoring case.
    ///
    /// `RecipientTypeDetailsValue` is how stored filters spell `RecipientTypeDetails`;
    /// `RequireSenderAuthenticationEnabled` is the cmdlet's name for `RequireAllSendersAreAuthenticated`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("RecipientTypeDetailsValue") {
            "RecipientTypeDetails"
        } else if name.eq_ignore_ascii_case("RequireSenderAuthenticationEnabled") {
            "RequireAllSendersAreAuthenticated"
        } else {
            name
        };
        Self::ALL
            .iter()
            .copied()
            .find(|attribute| attribute.name().eq_ignore_ascii_case(name))
    }

    /// Finds an attribute by its name in Active Directory, ignoring case (`physicalDeliveryOfficeName`).
    pub fn from_ldap_name(name: &str) -> Option<Self> {
        DOCUMENTED
            .iter()
            .filter(|row| row.ldap.is_some_and(|ldap| ldap.eq_ignore_ascii_case(name)))
            .find_map(|row| Self::from_name(row.name))
    }

    /// The attribute in Active Directory; `None` where Exchange computes the value.
    pub fn ldap_name(self) -> Option<&'static str> {
        documented(self.name()).and_then(|row| row.ldap)
    }

    /// `CustomAttributeN` for 1 to 15.
    pub fn custom(number: u8) -> Option<Self> {
        let first = Self::ALL.iter().position(|each| *each == Self::CustomAttribute1)?;
        (1..=15)
            .contains(&number)
            .then(|| Self::ALL.get(first + usize::from(number) - 1).copied())
            .flatten()
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A property a filter may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// We hold it and can evaluate it.
    Held(Attribute),
    /// Exchange documents it, our object model does not hold it: the filter cannot be evaluated.
    NotHeld(&'static Documented),
    /// `extension_<application>_<name>`, as it was written; names are free.
    Extension(Box<str>),
    /// `device.…` of an Entra rule, its name as it was written; no mail recipient has it.
    Device(Box<str>),
}

impl Property {
    /// Finds a property by name, ignoring case.
    pub fn from_name(name: &str) -> Option<Self> {
        Attribute::from_name(name)
            .map(Self::Held)
            .or_else(|| documented(name).map(Self::NotHeld))
    }

    /// The name Exchange uses.
    pub fn name(&self) -> &str {
        match self {
            Self::Held(attribute) => attribute.name(),
            Self::NotHeld(row) => row.name,
            Self::Extension(name) | Self::Device(name) => name,
        }
    }

    /// The name, or what it is, where names are free.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Held(attribute) => attribute.name(),
            Self::NotHeld(row) => row.name,
            Self::Extension(_) => "an extension property",
            Self::Device(_) => "a property of devices",
        }
    }

    /// The attribute that is read for it, if any.
    pub fn attribute(&self) -> Option<Attribute> {
        match self {
            Self::Held(attribute) => Some(*attribute),
            Self::Extension(_) => Some(Attribute::ExtensionProperties),
            Self::NotHeld(_) | Self::Device(_) => None,
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The documented name that an unknown one was probably meant to be.
///
/// First the Active Directory spelling, then a name that begins or ends the other, then the nearest by
/// edits. Nothing is better than a wild guess, so the distance is bounded.
pub fn suggest_property(unknown: &str) -> Option<&'static str> {
    let by_ldap = DOCUMENTED
        .iter()
        .find(|row| row.ldap.is_some_and(|ldap| ldap.eq_ignore_ascii_case(unknown)));
    if let Some(row) = by_ldap {
        return Some(row.name);
    }
    nearest(unknown, DOCUMENTED.iter().map(|row| row.name))
}

/// The candidate nearest to a misspelt word, or none.
pub fn nearest<'a>(unknown: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const PART_MIN: usize = 5;
    let unknown = unknown.to_ascii_lowercase();
    candidates
        .filter_map(|candidate| {
            let folded = candidate.to_ascii_lowercase();
            let part = folded.len() >= PART_MIN && unknown.starts_with(&folded)
                || unknown.len() >= PART_MIN && folded.starts_with(&unknown);
            let distance = edit_distance(&unknown, &folded);
            let allowed = (unknown.chars().count().max(folded.len()) / 4).max(1);
            (part || distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits from one text to the other over characters, two neighbours exchanged counting as one; inputs are cut at 64
/// so that the work is bounded.
pub(crate) fn edit_distance(left: &str, right: &str) -> usize {
    const CHARACTERS_MAX: usize = 64;
    let left: Vec<char> = left.chars().take(CHARACTERS_MAX).collect();
    let right: Vec<char> = right.chars().take(CHARACTERS_MAX).collect();
    let width = right.len() + 1;
    // Three lines of the table suffice: an exchange of neighbours looks two lines back.
    let (mut two_above, mut above): (Vec<usize>, Vec<usize>) = (vec![usize::MAX; width], (0..width).collect());
    for (line, a) in left.iter().enumerate() {
        let mut here = vec![line + 1; width];
        for (column, b) in right.iter().enumerate() {
            let change = above[column] + usize::from(a != b);
            let mut best = change.min(above[column + 1] + 1).min(here[column] + 1);
            let exchanged = line > 0 && column > 0 && left[line - 1] == *b && right[column - 1] == *a;
            if exchanged {
                best = best.min(two_above[column - 1] + 1);
            }
            here[column + 1] = best;
        }
        two_above = std::mem::replace(&mut above, here);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_documented_or_listed_as_not() {
        let first = Attribute::ALL
            .iter()
            .position(|each| *each == Attribute::ServerLegacyDN);
        let first = first.expect("held");
        assert!(Attribute::ALL.len() < 256);
        for (at, attribute) in Attribute::ALL.iter().copied().enumerate() {
            let by_exchange = documented(attribute.name()).is_some();
            let both = matches!(attribute, Attribute::ServerLegacyDN | Attribute::ProtocolSettings);
            assert_eq!(by_exchange, at < first || both, "{attribute}");
        }
    }

    #[test]
    fn names_ignore_case_and_know_synonyms() {
        assert_eq!(Attribute::from_name("office"), Some(Attribute::Office));
        assert_eq!(
            Attribute::from_name("recipienttypedetailsvalue"),
            Some(Attribute::RecipientTypeDetails)
        );
        assert_eq!(
            Attribute::from_ldap_name("PhysicalDeliveryOfficeName"),
            Some(Attribute::Office)
        );
        assert_eq!(Attribute::custom(15), Some(Attribute::CustomAttribute15));
        assert_eq!(Attribute::custom(16), None);
    }

    #[test]
    fn a_documented_property_is_not_an_unknown_one() {
        assert!(matches!(
            Property::from_name("ThrottlingPolicy"),
            Some(Property::NotHeld(_))
        ));
        assert!(Property::from_name("CompanyName").is_none());
    }

    #[test]
    fn suggestions() {
        assert_eq!(suggest_property("CompanyName"), Some("Company"));
        assert_eq!(suggest_property("Departmnet"), Some("Department"));
        assert_eq!(suggest_property("extensionAttribute7"), Some("CustomAttribute7"));
        assert_eq!(suggest_property("l"), Some("City"));
        assert_eq!(suggest_property("qqqqqqqq"), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("titel", "title"), 1);
        assert_eq!(suggest_property("Titel"), Some("Title"));
    }
}
