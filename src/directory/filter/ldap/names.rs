//! Attribute names of Active Directory, as filters write them.
//!
//! In: a name, in any case. Out: the property it stands for, or nothing and what was probably meant. Never: a
//! name that directories know and our object model does not hold taken for an unknown one.

use crate::directory::attribute::{Attribute, Property, nearest};
use crate::directory::documented::{Availability, DOCUMENTED, Documented, DocumentedType as T};

/// Names whose property is not the one the published table finds by them, or that it does not have.
///
/// Sources: the schema of Active Directory and of Exchange; the comparison table of properties and attributes.
#[rustfmt::skip]
static NAMES: &[(&str, &str)] = &[
    // The published table gives these names to two properties.
    ("name", "Name"),
    ("distinguishedName", "DistinguishedName"),
    ("targetAddress", "ExternalEmailAddress"),
    // Computed by Exchange from one attribute.
    ("msExchRecipientTypeDetails", "RecipientTypeDetails"),
    ("mail", "WindowsEmailAddress"),
    ("sAMAccountName", "SamAccountName"),
    ("c", "C"),
    ("co", "Co"),
    ("whenCreated", "WhenCreated"),
    ("whenCreated", "WhenCreatedUTC"),
    ("whenChanged", "WhenChanged"),
    ("whenChanged", "WhenChangedUTC"),
    ("objectGUID", "Guid"),
    ("msExchMailboxGuid", "ExchangeGuid"),
    ("msExchExternalDirectoryObjectId", "ExternalDirectoryObjectId"),
    ("msExchUserAccountControl", "ExchangeUserAccountControl"),
    ("msExchResourceDisplay", "ResourceSearchProperties"),
    ("msExchResourceMetaData", "ResourceMetaData"),
    ("wWWHomePage", "WebPage"),
    // Not filterable in Exchange's documentation, and in stored filters all the same.
    ("homeMDB", "Database"),
    ("msExchHomeServerName", "ServerLegacyDN"),
    ("objectSid", "ObjectSid"),
    ("sAMAccountType", "SamAccountType"),
    ("lastLogon", "LastLogon"),
    ("protocolSettings", "ProtocolSettings"),
    ("msExchProvisioningFlags", "ProvisioningFlags"),
    ("employeeID", "EmployeeId"),
    ("preferredLanguage", "PreferredLanguage"),
];

/// Other names of the same attributes, read and never printed: the long names of RFC 4519, and what two schemas
/// call differently.
static SYNONYMS: &[(&str, &str)] = &[
    ("commonName", "CommonName"),
    ("surname", "LastName"),
    ("localityName", "City"),
    ("stateOrProvinceName", "StateOrProvince"),
    ("countryName", "C"),
    ("streetAddress", "StreetAddress"),
    ("street", "StreetAddress"),
    ("rfc822Mailbox", "WindowsEmailAddress"),
    ("msDS-ExternalDirectoryObjectId", "ExternalDirectoryObjectId"),
    ("msExchResourceSearchProperties", "ResourceSearchProperties"),
];

/// Attributes that directories have and our object model does not: a filter with one is a named finding.
static NOT_HELD: &[Documented] = &[
    ad("accountExpires", T::Integer),
    ad("adminCount", T::Integer),
    ad("badPwdCount", T::Integer),
    ad("businessCategory", T::Text),
    ad("carLicense", T::Text),
    ad("comment", T::Text),
    ad("division", T::Text),
    ad("dNSHostName", T::Text),
    ad("employeeNumber", T::Text),
    ad("employeeType", T::Text),
    ad("gidNumber", T::Integer),
    ad("homeDirectory", T::Text),
    ad("isCriticalSystemObject", T::Boolean),
    ad("lastLogonTimestamp", T::Integer),
    ad("lockoutTime", T::Integer),
    ad("logonCount", T::Integer),
    ad("middleName", T::Text),
    ad("msDS-ConsistencyGuid", T::Bytes),
    ad("msDS-PrincipalName", T::Text),
    ad("msExchALObjectVersion", T::Integer),
    ad("msExchMasterAccountSid", T::Bytes),
    ad("msExchPoliciesExcluded", T::Text),
    ad("msExchPoliciesIncluded", T::Text),
    ad("msRTCSIP-PrimaryUserAddress", T::Text),
    ad("msRTCSIP-UserEnabled", T::Boolean),
    ad("o", T::Text),
    ad("otherMailbox", T::Text),
    ad("otherMobile", T::Text),
    ad("ou", T::Text),
    ad("personalTitle", T::Text),
    ad("pwdLastSet", T::Integer),
    ad("roomNumber", T::Text),
    ad("servicePrincipalName", T::Text),
    ad("sIDHistory", T::Bytes),
    ad("systemFlags", T::Integer),
    ad("textEncodedORAddress", T::Text),
    ad("uid", T::Text),
    ad("uidNumber", T::Integer),
    ad("url", T::Text),
    ad("userParameters", T::Text),
    ad("userWorkstations", T::Text),
    ad("uSNChanged", T::Integer),
    ad("uSNCreated", T::Integer),
];

const fn ad(name: &'static str, value_type: T) -> Documented {
    Documented {
        name,
        ldap: Some(name),
        value_type,
        availability: Availability::Server,
    }
}

/// Finds the property behind a name.
pub(super) fn property(name: &str) -> Option<Property> {
    let is = |other: &str| other.eq_ignore_ascii_case(name);
    NAMES
        .iter()
        .chain(SYNONYMS)
        .filter(|(ldap, _)| is(ldap))
        .find_map(|(_, exchange)| Property::from_name(exchange))
        .or_else(|| {
            DOCUMENTED
                .iter()
                .find(|row| row.ldap.is_some_and(is))
                .and_then(|row| Property::from_name(row.name))
        })
        .or_else(|| NOT_HELD.iter().find(|row| is(row.name)).map(Property::NotHeld))
}

/// The name an attribute is printed with; `None` where no single attribute holds the value.
pub fn name_of(attribute: Attribute) -> Option<&'static str> {
    let by_table = NAMES
        .iter()
        .find(|(_, exchange)| *exchange == attribute.name())
        .map(|(ldap, _)| *ldap);
    by_table.or_else(|| attribute.ldap_name())
}

/// What an unknown name was probably meant to be: the attribute behind a property of Exchange, or the nearest.
pub(super) fn suggestion(unknown: &str) -> Option<&'static str> {
    let documented = DOCUMENTED.iter().filter_map(|row| row.ldap);
    Attribute::from_name(unknown)
        .and_then(name_of)
        .or_else(|| nearest(unknown, NAMES.iter().map(|(ldap, _)| *ldap).chain(documented)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_leads_to_a_property_of_ours() {
        for (ldap, exchange) in NAMES.iter().chain(SYNONYMS) {
            assert!(property(ldap).is_some(), "{ldap} {exchange}");
            assert!(Property::from_name(exchange).is_some(), "{ldap} {exchange}");
        }
    }

    #[test]
    fn a_name_and_its_attribute_lead_to_each_other() {
        for attribute in Attribute::ALL.iter().copied() {
            let Some(name) = name_of(attribute) else { continue };
            let back = property(name).map(|found| found.name().to_owned());
            let doubled = [
                "RawName",
                "Id",
                "RawExternalEmailAddress",
                "WhenCreatedUTC",
                "WhenChangedUTC",
            ]
            .contains(&attribute.name());
            assert!(
                back.as_deref() == Some(attribute.name()) || doubled,
                "{attribute} {name} {back:?}"
            );
        }
    }

    #[test]
    fn suggestions_speak_the_language_of_the_filter() {
        assert_eq!(suggestion("Office"), Some("physicalDeliveryOfficeName"));
        assert_eq!(suggestion("departmnet"), Some("department"));
        assert_eq!(suggestion("CustomAttribute7"), Some("extensionAttribute7"));
        assert_eq!(suggestion("qqqqqqqq"), None);
    }
}
