//! Names of enumerated values, as filters and exports write them.
//!
//! Sources: filterable properties for RecipientFilter and Filter, Get-Recipient, the schema of Active
//! Directory. A value may be written by name or by number.

use super::kind::RecipientKind;

/// One name and its number.
pub type Named = (&'static str, i64);

/// The number behind a name, or the number itself.
pub fn number_of(table: &[Named], text: &str) -> Option<i64> {
    let text = text.trim();
    table
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, number)| *number)
        .or_else(|| text.parse::<i64>().ok())
}

/// The sum of a comma-separated list of flags; numbers are allowed among them.
///
/// The list in a filter names the whole stored value: `'AccountDisabled, NormalAccount'` is 514.
pub fn flags_of(table: &[Named], text: &str) -> Option<i64> {
    text.split(',')
        .try_fold(0_i64, |sum, part| number_of(table, part).map(|number| sum | number))
}

/// The name of a number, if it has one.
pub fn name_of(table: &[Named], number: i64) -> Option<&'static str> {
    table.iter().find(|(_, each)| *each == number).map(|(name, _)| *name)
}

/// `RecipientType`; Exchange publishes no numbers, these are ranks of our own.
pub static RECIPIENT_TYPE: &[Named] = &[
    ("UserMailbox", 1),
    ("MailUser", 2),
    ("MailContact", 3),
    ("MailUniversalDistributionGroup", 4),
    ("MailUniversalSecurityGroup", 5),
    ("MailNonUniversalGroup", 6),
    ("DynamicDistributionGroup", 7),
    ("PublicFolder", 8),
    // Names that filters may use and that no mail-enabled object has.
    ("User", 101),
    ("Contact", 102),
    ("Group", 103),
    ("Computer", 104),
    ("MicrosoftExchange", 105),
    ("SystemMailbox", 106),
    ("SystemAttendantMailbox", 107),
];

/// Number used for a kind without a published one.
pub const SHARED_WITH_MAIL_USER: i64 = -1;

/// `RecipientTypeDetails`, types without mail included: filters name them to exclude them.
pub static RECIPIENT_TYPE_DETAILS: &[Named] = &[
    ("None", 0),
    ("UserMailbox", 1),
    ("LinkedMailbox", 2),
    ("SharedMailbox", 4),
    ("LegacyMailbox", 8),
    ("RoomMailbox", 16),
    ("EquipmentMailbox", 32),
    ("MailContact", 64),
    ("MailUser", 128),
    ("MailUniversalDistributionGroup", 256),
    ("MailNonUniversalGroup", 512),
    ("MailUniversalSecurityGroup", 1_024),
    ("DynamicDistributionGroup", 2_048),
    ("PublicFolder", 4_096),
    ("SystemAttendantMailbox", 8_192),
    ("SystemMailbox", 16_384),
    ("MailForestContact", 32_768),
    ("User", 65_536),
    ("Contact", 131_072),
    ("UniversalDistributionGroup", 262_144),
    ("UniversalSecurityGroup", 524_288),
    ("NonUniversalGroup", 1_048_576),
    ("DisabledUser", 2_097_152),
    ("MicrosoftExchange", 4_194_304),
    ("ArbitrationMailbox", 8_388_608),
    ("MailboxPlan", 16_777_216),
    ("LinkedUser", 33_554_432),
    ("RoomList", 268_435_456),
    ("DiscoveryMailbox", 536_870_912),
    ("RoleGroup", 1_073_741_824),
    ("RemoteUserMailbox", 2_147_483_648),
    ("Computer", 4_294_967_296),
    ("RemoteRoomMailbox", 8_589_934_592),
    ("RemoteEquipmentMailbox", 17_179_869_184),
    ("RemoteSharedMailbox", 34_359_738_368),
    ("PublicFolderMailbox", 68_719_476_736),
    ("TeamMailbox", 137_438_953_472),
    ("RemoteTeamMailbox", 274_877_906_944),
    ("MonitoringMailbox", 549_755_813_888),
    ("GroupMailbox", 1_099_511_627_776),
    ("LinkedRoomMailbox", 2_199_023_255_552),
    ("AuditLogMailbox", 4_398_046_511_104),
    ("RemoteGroupMailbox", 8_796_093_022_208),
    ("SchedulingMailbox", 17_592_186_044_416),
    ("GuestMailUser", 35_184_372_088_832),
    ("AuxAuditLogMailbox", 70_368_744_177_664),
    ("SupervisoryReviewPolicyMailbox", 140_737_488_355_328),
    ("SharedWithMailUser", SHARED_WITH_MAIL_USER),
];

/// `RecipientDisplayType` (msExchRecipientDisplayType, 32 bit signed).
pub static RECIPIENT_DISPLAY_TYPE: &[Named] = &[
    ("MailboxUser", 0),
    ("DistributionGroup", 1),
    ("PublicFolder", 2),
    ("DynamicDistributionGroup", 3),
    ("Organization", 4),
    ("PrivateDistributionList", 5),
    ("RemoteMailUser", 6),
    ("ConferenceRoomMailbox", 7),
    ("EquipmentMailbox", 8),
    ("ArbitrationMailbox", 10),
    ("MailboxPlan", 11),
    ("LinkedUser", 12),
    ("RoomList", 15),
    ("ACLableMailboxUser", 1_073_741_824),
    ("ACLableRemoteMailUser", 1_073_741_830),
    ("SecurityDistributionGroup", 1_073_741_833),
    ("SyncedMailboxUser", -2_147_483_642),
    ("SyncedUDGasUDG", -2_147_483_391),
    ("SyncedUDGasContact", -2_147_483_386),
    ("SyncedDynamicDistributionGroup", -2_147_482_874),
    ("SyncedRemoteMailUser", -2_147_482_106),
    ("SyncedConferenceRoomMailbox", -2_147_481_850),
    ("SyncedEquipmentMailbox", -2_147_481_594),
    ("SyncedUSGasUDG", -2_147_481_343),
    ("SyncedUSGasContact", -2_147_481_338),
    ("ACLableSyncedMailboxUser", -1_073_741_818),
    ("ACLableSyncedRemoteMailUser", -1_073_740_282),
    ("ACLableSyncedUSGasContact", -1_073_739_514),
    ("SyncedUSGasUSG", -1_073_739_511),
];

/// `GroupType` (groupType, 32 bit signed).
pub static GROUP_TYPE: &[Named] = &[
    ("Global", 2),
    ("DomainLocal", 4),
    ("BuiltinLocal", 5),
    ("Universal", 8),
    ("SecurityEnabled", -2_147_483_648),
];

/// `UserAccountControl` and `ExchangeUserAccountControl`.
pub static USER_ACCOUNT_CONTROL: &[Named] = &[
    ("None", 0),
    ("Script", 1),
    ("AccountDisabled", 2),
    ("AccountDisable", 2),
    ("HomeDirectoryRequired", 8),
    ("Lockout", 16),
    ("PasswordNotRequired", 32),
    ("CannotChangePassword", 64),
    ("EncryptedTextPasswordAllowed", 128),
    ("TemporaryDuplicateAccount", 256),
    ("NormalAccount", 512),
    ("InterDomainTrustAccount", 2_048),
    ("WorkstationTrustAccount", 4_096),
    ("ServerTrustAccount", 8_192),
    ("DoNotExpirePassword", 65_536),
    ("MnsLogonAccount", 131_072),
    ("SmartCardRequired", 262_144),
    ("TrustedForDelegation", 524_288),
    ("NotDelegated", 1_048_576),
    ("UseDesKeyOnly", 2_097_152),
    ("DoNotRequirePreauthentication", 4_194_304),
    ("PasswordExpired", 8_388_608),
];

/// `RemoteRecipientType` (msExchRemoteRecipientType); values are added.
pub static REMOTE_RECIPIENT_TYPE: &[Named] = &[
    ("None", 0),
    ("ProvisionMailbox", 1),
    ("ProvisionArchive", 2),
    ("Migrated", 4),
    ("DeprovisionMailbox", 8),
    ("DeprovisionArchive", 16),
    ("RoomMailbox", 32),
    ("EquipmentMailbox", 64),
    ("SharedMailbox", 96),
    ("TeamMailbox", 128),
];

/// `ResourceType`.
pub static RESOURCE_TYPE: &[Named] = &[("Room", 0), ("Equipment", 1)];

/// `MemberJoinRestriction` and `MemberDepartRestriction`.
pub static MEMBERSHIP_RESTRICTION: &[Named] = &[("Closed", 0), ("Open", 1), ("ApprovalRequired", 2)];

/// The stored number of a kind, our own where Exchange publishes none.
pub fn details_number(kind: RecipientKind) -> i64 {
    kind.recipient_type_details_value().unwrap_or(SHARED_WITH_MAIL_USER)
}

/// What `RecipientDisplayType` usually is for a kind, where the source did not state it.
pub fn display_type_of(kind: RecipientKind) -> Option<i64> {
    match kind {
        RecipientKind::UserMailbox | RecipientKind::LinkedMailbox => Some(1_073_741_824),
        RecipientKind::SharedMailbox
        | RecipientKind::LegacyMailbox
        | RecipientKind::TeamMailbox
        | RecipientKind::SchedulingMailbox => Some(0),
        RecipientKind::RoomMailbox | RecipientKind::LinkedRoomMailbox => Some(7),
        RecipientKind::EquipmentMailbox => Some(8),
        RecipientKind::MailContact
        | RecipientKind::MailUser
        | RecipientKind::MailForestContact
        | RecipientKind::GuestMailUser
        | RecipientKind::SharedWithMailUser => Some(6),
        RecipientKind::MailUniversalDistributionGroup
        | RecipientKind::MailNonUniversalGroup
        | RecipientKind::GroupMailbox
        | RecipientKind::RemoteGroupMailbox => Some(1),
        RecipientKind::MailUniversalSecurityGroup => Some(1_073_741_833),
        RecipientKind::DynamicDistributionGroup => Some(3),
        RecipientKind::PublicFolder => Some(2),
        RecipientKind::RoomList => Some(15),
        RecipientKind::ArbitrationMailbox => Some(10),
        RecipientKind::RemoteUserMailbox | RecipientKind::RemoteSharedMailbox | RecipientKind::RemoteTeamMailbox => {
            Some(-2_147_483_642)
        }
        RecipientKind::RemoteRoomMailbox => Some(-2_147_481_850),
        RecipientKind::RemoteEquipmentMailbox => Some(-2_147_481_594),
        RecipientKind::SystemMailbox
        | RecipientKind::DiscoveryMailbox
        | RecipientKind::PublicFolderMailbox
        | RecipientKind::MonitoringMailbox
        | RecipientKind::AuditLogMailbox
        | RecipientKind::AuxAuditLogMailbox
        | RecipientKind::SupervisoryReviewPolicyMailbox => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_details_table() {
        for kind in RecipientKind::ALL.iter().copied() {
            let number = details_number(kind);
            assert_eq!(
                number_of(RECIPIENT_TYPE_DETAILS, kind.recipient_type_details()),
                Some(number)
            );
        }
    }

    #[test]
    fn flag_lists_add_up() {
        assert_eq!(
            flags_of(USER_ACCOUNT_CONTROL, "AccountDisabled, NormalAccount"),
            Some(514)
        );
        assert_eq!(flags_of(GROUP_TYPE, "Universal,SecurityEnabled"), Some(-2_147_483_640));
        assert_eq!(flags_of(USER_ACCOUNT_CONTROL, "66050"), Some(66_050));
        assert_eq!(flags_of(USER_ACCOUNT_CONTROL, "Whatever"), None);
    }
}
