//! What a column means: Exchange's properties, attributes of Active Directory, headers of scripts.
//!
//! In: a name as an export spells it. Out: its meaning, or that nothing here depends on it. Never: a guess; what is
//! not known is counted in the report.

use crate::connectors::files::property::{Named, Property as P};
use crate::directory::attribute::Attribute;
use crate::directory::documented::DOCUMENTED;

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A property of the object.
    Property(P),
    /// The parallel property with addresses and names that `-Include…WithDisplayNames` fills.
    WithDisplayNames(P),
    /// A name of the object that only serves to find it.
    Key(Key),
    /// Something that must be put into Exchange's words first.
    Special(Special),
    /// Nothing here depends on it.
    Unused,
}

/// Names by which other files call an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `Identity`, `Id`, `CanonicalName`: a canonical path, a DN, a GUID or a name.
    Identity,
    /// `SamAccountName`, `UserPrincipalName`, `WindowsLiveID`.
    Account,
}

/// Values in a form of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// `msExchModerationFlags`: notices and nested approval in one number.
    ModerationFlags,
    /// `delivContLength`: kilobytes.
    Kilobytes(P),
    /// `RecipientFilterType`: custom or precanned.
    FilterType,
    /// `msExchDynamicDLFilter`, `LdapRecipientFilter`.
    LdapFilter,
    /// `objectClass`.
    ObjectClass,
    /// `msDS-ExternalDirectoryObjectId`: `User_` and a GUID.
    PrefixedGuid,
    /// `AllowExternalSenders` of Graph: the opposite of a required authentication.
    ExternalSenders,
}

/// Case, blanks, hyphens and underscores do not matter.
#[must_use]
pub fn fold(name: &str) -> String {
    let keep = |c: &char| !matches!(c, '_' | '-' | ' ' | '.');
    name.chars().filter(keep).map(|c| c.to_ascii_lowercase()).collect()
}

/// The meaning of a property of cmdlet output.
#[must_use]
pub fn meaning(name: &str) -> Meaning {
    let folded = fold(name);
    if let Some(base) = folded.strip_suffix("withdisplaynames") {
        return match P::named(base) {
            Named::Known(property) => Meaning::WithDisplayNames(property),
            Named::Unused(_) | Named::Unknown(_) => Meaning::Unused,
        };
    }

    match folded.as_str() {
        "identity" | "id" | "canonicalname" | "rawcanonicalname" => Meaning::Key(Key::Identity),
        "windowsliveid" | "microsoftonlineservicesid" => Meaning::Key(Key::Account),
        "exchangeobjectid" | "objectguid" => Meaning::Property(P::Held(Attribute::Guid)),
        "objectid" | "azureadobjectid" | "entraobjectid" => {
            Meaning::Property(P::Held(Attribute::ExternalDirectoryObjectId))
        }
        "ldaprecipientfilter" => Meaning::Special(Special::LdapFilter),
        "recipientfiltertype" => Meaning::Special(Special::FilterType),
        "allowexternalsenders" => Meaning::Special(Special::ExternalSenders),
        "email" | "emailaddress" | "smtpaddress" | "primaryemail" | "primarysmtp" | "primaryemailaddress" => {
            Meaning::Property(P::PrimarySmtpAddress)
        }
        "mail" => Meaning::Property(P::Held(Attribute::WindowsEmailAddress)),
        "proxyaddresses" => Meaning::Property(P::EmailAddresses),
        "owners" | "owner" => Meaning::Property(P::ManagedBy),
        "member" => Meaning::Property(P::Members),
        "dn" => Meaning::Property(P::DistinguishedName),
        "parentcontainer" | "ou" => Meaning::Property(P::OrganizationalUnit),
        "jobtitle" => Meaning::Property(P::Held(Attribute::Title)),
        "country" => Meaning::Property(P::Held(Attribute::CountryOrRegion)),
        "accesstype"
        | "exchangeversion"
        | "adminddisplayversion"
        | "objectcategory"
        | "objectclass"
        | "objectstate" => Meaning::Unused,
        _ => match P::named(name) {
            Named::Known(P::Id) => Meaning::Key(Key::Identity),
            Named::Known(P::Held(Attribute::ObjectClass | Attribute::ObjectCategory | Attribute::ExchangeVersion)) => {
                Meaning::Unused
            }
            Named::Known(property) if is_ours(property) => Meaning::Unused,
            Named::Known(property) => Meaning::Property(property),
            Named::Unused(_) | Named::Unknown(_) => Meaning::Unused,
        },
    }
}

/// Properties that only this service has; an export that has one means something else by it.
fn is_ours(property: P) -> bool {
    matches!(
        property,
        P::Location
            | P::Deleted
            | P::KeepUnreadableFilter
            | P::Language
            | P::ComparisonProfile
            | P::Refresh
            | P::MaxAge
            | P::OnStale
            | P::StormAction
            | P::StormMembers
            | P::StormReplies
            | P::StormWindow
            | P::StormBrake
            | P::ExpandSubscribers
            | P::StoredAttributes
    )
}

/// The meaning of an attribute of Active Directory.
#[must_use]
pub fn ldap_meaning(name: &str) -> Meaning {
    let special = match fold(name).as_str() {
        "dn" | "distinguishedname" => Meaning::Property(P::DistinguishedName),
        "cn" => Meaning::Property(P::Held(Attribute::Name)),
        "mail" => Meaning::Property(P::Held(Attribute::WindowsEmailAddress)),
        "objectclass" => Meaning::Special(Special::ObjectClass),
        "canonicalname" => Meaning::Key(Key::Identity),
        "msexchmoderationflags" => Meaning::Special(Special::ModerationFlags),
        "delivcontlength" => Meaning::Special(Special::Kilobytes(P::MaxReceiveSize)),
        "submissioncontlength" => Meaning::Special(Special::Kilobytes(P::Held(Attribute::MaxSendSize))),
        "msexchcomanagedbylink" => Meaning::Property(P::ManagedBy),
        "msexchbypassmoderationlink" | "msexchbypassmoderationfromdlmemberslink" => {
            Meaning::Property(P::BypassModerationFromSendersOrMembers)
        }
        "msexchdynamicdlfilter" => Meaning::Special(Special::LdapFilter),
        "msdsexternaldirectoryobjectid" | "msexchexternaldirectoryobjectid" => Meaning::Special(Special::PrefixedGuid),
        "samaccountname" => Meaning::Property(P::Held(Attribute::SamAccountName)),
        "userprincipalname" => Meaning::Property(P::Held(Attribute::UserPrincipalName)),
        "objectguid" => Meaning::Property(P::Held(Attribute::Guid)),
        "useraccountcontrol" => Meaning::Property(P::Held(Attribute::UserAccountControl)),
        "st" => Meaning::Property(P::Held(Attribute::StateOrProvince)),
        "co" => Meaning::Property(P::Held(Attribute::Co)),
        "c" => Meaning::Property(P::Held(Attribute::C)),
        "whencreated" => Meaning::Property(P::Held(Attribute::WhenCreatedUTC)),
        "whenchanged" => Meaning::Property(P::Held(Attribute::WhenChangedUTC)),
        "oofreplytooriginator" => Meaning::Property(P::SendOofMessageToOriginatorEnabled),
        "msexchrecipienttypedetails" => Meaning::Property(P::RecipientTypeDetails),
        "objectcategory" | "memberof" | "directreports" | "msexchversion" => Meaning::Unused,
        _ => Meaning::Unused,
    };
    if special != Meaning::Unused {
        return special;
    }
    let row = DOCUMENTED
        .iter()
        .find(|row| row.ldap.is_some_and(|ldap| ldap.eq_ignore_ascii_case(name)));
    match row.map(|row| meaning(row.name)) {
        // Backlinks and names computed from others.
        None | Some(Meaning::Key(_)) => Meaning::Unused,
        Some(other) => other,
    }
}

/// True if a column of this name means something.
#[must_use]
pub fn is_known(name: &str) -> bool {
    meaning(name) != Meaning::Unused || group_column(name).is_some() || member_column(name).is_some()
}

/// Columns that say which group a row of a member table belongs to; the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupColumn {
    /// A GUID.
    Guid,
    /// An address.
    Address,
    /// An alias, an identity.
    Identity,
    /// A name.
    Name,
}

/// Tells a column that names the group of a row.
#[must_use]
pub fn group_column(name: &str) -> Option<GroupColumn> {
    Some(match fold(name).as_str() {
        "groupguid" | "groupid" | "groupobjectid" | "groupexternaldirectoryobjectid" => GroupColumn::Guid,
        "groupemail"
        | "groupemailaddress"
        | "groupmail"
        | "groupprimarysmtpaddress"
        | "groupprimarysmtp"
        | "groupsmtpaddress"
        | "groupsmtp"
        | "groupaddress"
        | "dgemail"
        | "distributiongroupemail" => GroupColumn::Address,
        "group"
        | "groupidentity"
        | "groupalias"
        | "groupdn"
        | "groupdistinguishedname"
        | "distributiongroup"
        | "dynamicdistributiongroup"
        | "unifiedgroup" => GroupColumn::Identity,
        "groupname" | "groupdisplayname" | "dgname" | "dgdisplayname" | "distributiongroupname" | "listname" => {
            GroupColumn::Name
        }
        _ => return None,
    })
}

/// Columns that say who the member of a row is; the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberColumn {
    /// A GUID.
    Guid,
    /// An address.
    Address,
    /// A distinguished name, an identity, whatever the script took.
    Identity,
    /// A name.
    Name,
}

/// Tells a column that names the member of a row.
#[must_use]
pub fn member_column(name: &str) -> Option<MemberColumn> {
    Some(match fold(name).as_str() {
        "memberguid" | "memberid" | "memberobjectid" | "guid" | "objectguid" | "externaldirectoryobjectid" => {
            MemberColumn::Guid
        }
        "memberemail"
        | "memberemailaddress"
        | "memberprimarysmtpaddress"
        | "memberprimarysmtp"
        | "membermail"
        | "membersmtpaddress"
        | "memberaddress"
        | "primarysmtpaddress"
        | "primarysmtp"
        | "emailaddress"
        | "email"
        | "mail"
        | "smtpaddress"
        | "windowsemailaddress" => MemberColumn::Address,
        "member" | "members" | "memberidentity" | "memberdn" | "memberalias" | "memberupn" | "identity"
        | "distinguishedname" | "alias" | "userprincipalname" => MemberColumn::Identity,
        "membername" | "memberdisplayname" | "displayname" | "name" => MemberColumn::Name,
        _ => return None,
    })
}

/// `LinkType` of Get-UnifiedGroupLinks, `Role` of scripts.
#[must_use]
pub fn is_link_column(name: &str) -> bool {
    matches!(fold(name).as_str(), "linktype" | "role" | "membertype" | "memberrole")
}

/// Which list of a group a link names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Direct members.
    Members,
    /// Owners.
    Owners,
    /// Those who get copies of mail to a Microsoft 365 group.
    Subscribers,
}

/// Reads the value of a link column.
#[must_use]
pub fn link(text: &str) -> Option<Link> {
    Some(match fold(text).as_str() {
        "members" | "member" => Link::Members,
        "owners" | "owner" => Link::Owners,
        "subscribers" | "subscriber" => Link::Subscribers,
        _ => return None,
    })
}
