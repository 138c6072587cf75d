//! Properties of Entra dynamic membership rules.
//!
//! In: a name after `user.`, in any case: Microsoft calls names case-sensitive and writes them in several ways. Out:
//! the attribute that holds it here and the values Entra lets it be compared with.

use crate::directory::attribute::{Attribute, nearest};

/// What a property may be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Date,
    /// Only `-any`, `-all` and null.
    Collection,
}

/// One property of users.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UserProperty {
    /// With `user.` before it.
    pub(super) name: &'static str,
    pub(super) attribute: Attribute,
    pub(super) kind: Kind,
}

const fn row(name: &'static str, attribute: Attribute, kind: Kind) -> UserProperty {
    UserProperty { name, attribute, kind }
}

use Attribute as A;
use Kind::{Boolean, Collection, Date, Text};

#[rustfmt::skip]
pub(super) static PROPERTIES: &[UserProperty] = &[
    row("user.accountEnabled", A::AccountEnabled, Boolean),
    row("user.assignedPlans", A::AssignedPlans, Collection),
    row("user.city", A::City, Text),
    row("user.companyName", A::Company, Text),
    row("user.country", A::CountryOrRegion, Text),
    row("user.department", A::Department, Text),
    row("user.dirSyncEnabled", A::IsDirSynced, Boolean),
    row("user.displayName", A::DisplayName, Text),
    row("user.employeeHireDate", A::EmployeeHireDate, Date),
    row("user.employeeId", A::EmployeeId, Text),
    row("user.extensionAttribute1", A::CustomAttribute1, Text),
    row("user.extensionAttribute2", A::CustomAttribute2, Text),
    row("user.extensionAttribute3", A::CustomAttribute3, Text),
    row("user.extensionAttribute4", A::CustomAttribute4, Text),
    row("user.extensionAttribute5", A::CustomAttribute5, Text),
    row("user.extensionAttribute6", A::CustomAttribute6, Text),
    row("user.extensionAttribute7", A::CustomAttribute7, Text),
    row("user.extensionAttribute8", A::CustomAttribute8, Text),
    row("user.extensionAttribute9", A::CustomAttribute9, Text),
    row("user.extensionAttribute10", A::CustomAttribute10, Text),
    row("user.extensionAttribute11", A::CustomAttribute11, Text),
    row("user.extensionAttribute12", A::CustomAttribute12, Text),
    row("user.extensionAttribute13", A::CustomAttribute13, Text),
    row("user.extensionAttribute14", A::CustomAttribute14, Text),
    row("user.extensionAttribute15", A::CustomAttribute15, Text),
    row("user.facsimileTelephoneNumber", A::Fax, Text),
    row("user.givenName", A::FirstName, Text),
    row("user.jobTitle", A::Title, Text),
    row("user.mail", A::WindowsEmailAddress, Text),
    row("user.mailNickName", A::Alias, Text),
    row("user.memberOf", A::MemberOfGroup, Collection),
    row("user.mobile", A::MobilePhone, Text),
    row("user.objectId", A::ObjectId, Text),
    row("user.onPremisesDistinguishedName", A::DistinguishedName, Text),
    row("user.onPremisesSecurityIdentifier", A::OnPremisesSecurityIdentifier, Text),
    row("user.otherMails", A::OtherMails, Collection),
    row("user.passwordPolicies", A::PasswordPolicies, Text),
    row("user.physicalDeliveryOfficeName", A::Office, Text),
    row("user.postalCode", A::PostalCode, Text),
    row("user.preferredLanguage", A::PreferredLanguage, Text),
    row("user.proxyAddresses", A::EmailAddresses, Collection),
    row("user.sipProxyAddress", A::SipProxyAddress, Text),
    row("user.state", A::StateOrProvince, Text),
    row("user.streetAddress", A::StreetAddress, Text),
    row("user.surname", A::LastName, Text),
    row("user.telephoneNumber", A::Phone, Text),
    row("user.usageLocation", A::UsageLocation, Text),
    row("user.userPrincipalName", A::UserPrincipalName, Text),
    row("user.userType", A::UserType, Text),
];

/// Properties of users that Entra has and its rules do not take.
pub(super) const NOT_IN_RULES: [&str; 6] = [
    "user.assignedLicenses",
    "user.createdDateTime",
    "user.employeeOrgData",
    "user.employeeType",
    "user.licenseAssignmentStates",
    "user.manager",
];

/// Finds a property by its name with `user.` before it, ignoring case.
pub(super) fn by_name(name: &str) -> Option<&'static UserProperty> {
    PROPERTIES.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

/// Finds the property that stands for an attribute.
pub(super) fn by_attribute(attribute: Attribute) -> Option<&'static UserProperty> {
    PROPERTIES.iter().find(|row| row.attribute == attribute)
}

/// The property that an unknown name was probably meant to be; Exchange's and Active Directory's names count.
pub(super) fn suggest(name: &str) -> Option<&'static str> {
    let bare = name.rsplit('.').next().unwrap_or(name);
    let elsewhere = Attribute::from_name(bare).or_else(|| Attribute::from_ldap_name(bare));
    if let Some(row) = elsewhere.and_then(by_attribute) {
        return Some(row.name);
    }
    nearest(&format!("user.{bare}"), PROPERTIES.iter().map(|row| row.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_for_one_attribute() {
        for row in PROPERTIES {
            assert_eq!(by_attribute(row.attribute), Some(row), "{}", row.name);
            assert_eq!(by_name(&row.name.to_uppercase()), Some(row));
        }
        // 6 of other kinds, 28 texts and the fifteen numbered ones.
        assert_eq!(PROPERTIES.len(), 49);
    }

    #[test]
    fn suggestions() {
        assert_eq!(suggest("user.departmnet"), Some("user.department"));
        assert_eq!(suggest("Company"), Some("user.companyName"));
        assert_eq!(suggest("user.title"), Some("user.jobTitle"));
        assert_eq!(suggest("user.sn"), Some("user.surname"));
        assert_eq!(suggest("user.customAttribute7"), Some("user.extensionAttribute7"));
        assert_eq!(suggest("user.qqqqqq"), None);
    }
}
