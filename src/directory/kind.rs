//! What a recipient object is: Exchange's recipient types, their subtypes and numbers.
//!
//! In: a name or a number from an export. Out: a [`RecipientKind`] whose variants are the values of
//! `RecipientTypeDetails`, so that a filter, an export and a log line say the same word.

use serde::{Deserialize, Serialize};

/// The coarse class, Exchange's `RecipientType` (eight values, Get-Recipient).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecipientType {
    UserMailbox,
    MailUser,
    MailContact,
    MailUniversalDistributionGroup,
    MailUniversalSecurityGroup,
    MailNonUniversalGroup,
    DynamicDistributionGroup,
    PublicFolder,
}

impl RecipientType {
    /// All values in the order of Exchange's documentation.
    pub const ALL: [Self; 8] = [
        Self::UserMailbox,
        Self::MailUser,
        Self::MailContact,
        Self::MailUniversalDistributionGroup,
        Self::MailUniversalSecurityGroup,
        Self::MailNonUniversalGroup,
        Self::DynamicDistributionGroup,
        Self::PublicFolder,
    ];

    /// The name a filter uses: `RecipientType -eq 'UserMailbox'`.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserMailbox => "UserMailbox",
            Self::MailUser => "MailUser",
            Self::MailContact => "MailContact",
            Self::MailUniversalDistributionGroup => "MailUniversalDistributionGroup",
            Self::MailUniversalSecurityGroup => "MailUniversalSecurityGroup",
            Self::MailNonUniversalGroup => "MailNonUniversalGroup",
            Self::DynamicDistributionGroup => "DynamicDistributionGroup",
            Self::PublicFolder => "PublicFolder",
        }
    }
}

macro_rules! kinds {
    ($($(#[$note:meta])* $variant:ident = $number:expr, $class:ident;)*) => {
        /// What the object is, Exchange's `RecipientTypeDetails`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum RecipientKind {
            $($(#[$note])* $variant,)*
        }

        impl RecipientKind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name of the subtype: `RecipientTypeDetails -eq 'SharedMailbox'`.
            pub fn recipient_type_details(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            /// The stored number (`msExchRecipientTypeDetails`), where one is published.
            pub fn recipient_type_details_value(self) -> Option<i64> {
                match self {
                    $(Self::$variant => $number,)*
                }
            }

            /// The coarse class as `Get-Recipient` reports it.
            pub fn recipient_type(self) -> RecipientType {
                match self {
                    $(Self::$variant => RecipientType::$class,)*
                }
            }
        }
    };
}

// Numbers: the published lists of msExchRecipientTypeDetails. A mailbox that moved to the cloud is a
// MailUser on premises, which is why `RecipientType -eq 'UserMailbox'` stops matching it.
kinds! {
    UserMailbox = Some(1), UserMailbox;
    LinkedMailbox = Some(2), UserMailbox;
    SharedMailbox = Some(4), UserMailbox;
    LegacyMailbox = Some(8), UserMailbox;
    RoomMailbox = Some(16), UserMailbox;
    EquipmentMailbox = Some(32), UserMailbox;
    MailContact = Some(64), MailContact;
    MailUser = Some(128), MailUser;
    MailUniversalDistributionGroup = Some(256), MailUniversalDistributionGroup;
    MailNonUniversalGroup = Some(512), MailNonUniversalGroup;
    MailUniversalSecurityGroup = Some(1_024), MailUniversalSecurityGroup;
    DynamicDistributionGroup = Some(2_048), DynamicDistributionGroup;
    /// A mail-enabled public folder.
    PublicFolder = Some(4_096), PublicFolder;
    SystemMailbox = Some(16_384), UserMailbox;
    MailForestContact = Some(32_768), MailContact;
    ArbitrationMailbox = Some(8_388_608), UserMailbox;
    /// A distribution group with a flag; it takes mail like one.
    RoomList = Some(268_435_456), MailUniversalDistributionGroup;
    DiscoveryMailbox = Some(536_870_912), UserMailbox;
    RemoteUserMailbox = Some(2_147_483_648), MailUser;
    RemoteRoomMailbox = Some(8_589_934_592), MailUser;
    RemoteEquipmentMailbox = Some(17_179_869_184), MailUser;
    RemoteSharedMailbox = Some(34_359_738_368), MailUser;
    PublicFolderMailbox = Some(68_719_476_736), UserMailbox;
    TeamMailbox = Some(137_438_953_472), UserMailbox;
    RemoteTeamMailbox = Some(274_877_906_944), MailUser;
    MonitoringMailbox = Some(549_755_813_888), UserMailbox;
    /// A Microsoft 365 group; `Get-Recipient` calls it a distribution group.
    GroupMailbox = Some(1_099_511_627_776), MailUniversalDistributionGroup;
    LinkedRoomMailbox = Some(2_199_023_255_552), UserMailbox;
    AuditLogMailbox = Some(4_398_046_511_104), UserMailbox;
    /// A Microsoft 365 group as an on-premises directory sees it after write-back.
    RemoteGroupMailbox = Some(8_796_093_022_208), MailUniversalDistributionGroup;
    SchedulingMailbox = Some(17_592_186_044_416), UserMailbox;
    GuestMailUser = Some(35_184_372_088_832), MailUser;
    AuxAuditLogMailbox = Some(70_368_744_177_664), UserMailbox;
    SupervisoryReviewPolicyMailbox = Some(140_737_488_355_328), UserMailbox;
    /// Cloud only; no number is published.
    SharedWithMailUser = None, MailUser;
}

impl RecipientKind {
    /// Looks a subtype up by its name, ignoring case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.recipient_type_details().eq_ignore_ascii_case(name))
    }

    /// Looks a subtype up by its stored number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.recipient_type_details_value() == Some(number))
    }

    /// True if the object stands for others, Microsoft 365 groups included.
    pub fn is_group(self) -> bool {
        match self.recipient_type() {
            RecipientType::MailUniversalDistributionGroup
            | RecipientType::MailUniversalSecurityGroup
            | RecipientType::MailNonUniversalGroup
            | RecipientType::DynamicDistributionGroup => true,
            RecipientType::UserMailbox
            | RecipientType::MailUser
            | RecipientType::MailContact
            | RecipientType::PublicFolder => false,
        }
    }

    /// True for a Microsoft 365 group, which is relayed whole unless a setting says otherwise.
    pub fn is_microsoft365_group(self) -> bool {
        matches!(self, Self::GroupMailbox | Self::RemoteGroupMailbox)
    }

    /// True if a rule, not a list, says who belongs to it.
    pub fn is_dynamic(self) -> bool {
        self == Self::DynamicDistributionGroup
    }

    /// True for the mailboxes Exchange keeps for itself; none is ever a member of a dynamic group.
    ///
    /// The set is the union of all exclusions that any version of Exchange appends to stored
    /// filters, plus the monitoring mailboxes.
    pub fn is_system(self) -> bool {
        matches!(
            self,
            Self::SystemMailbox
                | Self::ArbitrationMailbox
                | Self::DiscoveryMailbox
                | Self::PublicFolderMailbox
                | Self::MonitoringMailbox
                | Self::AuditLogMailbox
                | Self::AuxAuditLogMailbox
                | Self::SupervisoryReviewPolicyMailbox
        )
    }

    /// True if the account behind the mailbox is switched off in every healthy installation.
    ///
    /// `disabled_accounts = drop` must never drop these: nobody signs in to a room.
    pub fn account_is_disabled_by_design(self) -> bool {
        matches!(
            self,
            Self::SharedMailbox
                | Self::RoomMailbox
                | Self::EquipmentMailbox
                | Self::LinkedMailbox
                | Self::LinkedRoomMailbox
                | Self::SchedulingMailbox
                | Self::TeamMailbox
                | Self::PublicFolderMailbox
                | Self::RemoteSharedMailbox
                | Self::RemoteRoomMailbox
                | Self::RemoteEquipmentMailbox
                | Self::RemoteTeamMailbox
        ) || self.is_system()
    }

    /// `ResourceType` as filters see it: room 0, equipment 1 (recipient filter properties).
    pub fn resource_type(self) -> Option<i64> {
        if matches!(
            self,
            Self::RoomMailbox | Self::LinkedRoomMailbox | Self::RemoteRoomMailbox
        ) {
            Some(0)
        } else if matches!(self, Self::EquipmentMailbox | Self::RemoteEquipmentMailbox) {
            Some(1)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back() {
        for kind in RecipientKind::ALL.iter().copied() {
            assert_eq!(
                RecipientKind::from_name(&kind.recipient_type_details().to_lowercase()),
                Some(kind)
            );
            if let Some(number) = kind.recipient_type_details_value() {
                assert_eq!(RecipientKind::from_number(number), Some(kind));
            }
        }
    }

    #[test]
    fn a_mailbox_that_moved_to_the_cloud_is_a_mail_user() {
        assert_eq!(
            RecipientKind::RemoteUserMailbox.recipient_type(),
            RecipientType::MailUser
        );
        assert!(RecipientKind::RemoteSharedMailbox.account_is_disabled_by_design());
        assert!(!RecipientKind::RemoteUserMailbox.account_is_disabled_by_design());
    }
}
