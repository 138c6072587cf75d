//! Directory files: recipient objects written by hand or exported, as TOML, JSON or CSV in one folder.
//!
//! In: a folder. Out: a [`Snapshot`] of all objects in it, or every fault with file, line and column. Never: half
//! a folder, a file that changed while it was read, a key passed over.
//!
//! # What is read
//!
//! Files whose names end in `.toml`, `.json` or `.csv` and do not begin with a dot, in the order of their names;
//! folders in the folder are not. What a file is called says nothing more. Write a file under another name and
//! rename it: the service looks at the folder whenever it changes.
//!
//! # Properties
//!
//! Keys of TOML and JSON and columns of CSV are Exchange's property names. Case and underscores do not matter:
//! `primary_smtp_address` and `PrimarySmtpAddress` are one property. A name that is unknown is a fault; a property
//! that Exchange has and this service has no use for is passed over and reported as a notice.
//!
//! | property | meaning |
//! |---|---|
//! | `id` | Stable id. Default: `external_directory_object_id`, `guid`, else the primary address (then a new address makes a new object). |
//! | `recipient_type_details` | What it is: `UserMailbox`, `RemoteUserMailbox`, `SharedMailbox`, `MailContact`, `MailUniversalDistributionGroup`, … Required; a table under `[[groups]]` without one is a distribution group, dynamic if it has a filter. |
//! | `primary_smtp_address`, `email_addresses` | Its addresses; the primary one may stand in the list alone, as `SMTP:` in capitals. |
//! | `external_email_address` | Where mail leaves for: contacts, mail users, remote mailboxes, Microsoft 365 groups. |
//! | `location` | `cloud`, `on_premises` or `external`. Default: by type; remote mailboxes and Microsoft 365 groups are in the cloud, contacts and mail users external, everything else on premises. |
//! | `account_disabled` | Whether the account is switched off. |
//! | `deleted` | Deleted in the source and kept as a tombstone: it receives nothing. |
//! | `alias`, `display_name`, `distinguished_name`, `organizational_unit`, `legacy_exchange_dn` | As in Exchange. An object without an alias is in no dynamic group. |
//! | `department`, `title`, `office`, `custom_attribute1`, … | Any property that a filter may ask for. |
//! | `require_sender_authentication_enabled` | Internal senders only. Not stated: groups take internal senders only, others take all. |
//! | `accept_messages_only_from_senders_or_members`, `reject_…` | Who may write; also in Exchange's split forms `accept_messages_only_from`, `…_from_dl_members`. |
//! | `max_receive_size`, `forwarding_address`, `forwarding_smtp_address`, `deliver_to_mailbox_and_forward` | As in Exchange. |
//! | `moderation_enabled`, `moderated_by`, `bypass_moderation_from_senders_or_members`, `bypass_nested_moderation_enabled`, `send_moderation_notifications` | Approval. |
//! | `moderation_expiry`, `moderation_quorum`, `moderation_substitutes`, `moderation_language` | Ours: time a message waits, approvals needed, who is asked at half time, language of letters; see `[moderation]`. |
//! | `members`, `managed_by` | Groups: direct members, owners. Persons and groups are named by address, alias, id or DN. |
//! | `recipient_filter`, `recipient_container`, `included_recipients`, `conditional_department`, … | Dynamic groups: a filter, or Exchange's precanned conditions. |
//! | `language` | Dynamic groups, ours: the language of `recipient_filter`, `opath` (default), `ldap` or `entra`. |
//! | `keep_unreadable_filter` | Dynamic groups, ours: a filter that cannot be read is no fault; mail for the group waits (451) until it is mended. |
//! | `comparison_profile`, `refresh`, `max_age`, `on_stale` | Dynamic groups, ours: `active_directory` or `cloud`; `on_change` or a duration; a duration; `serve`, `defer` or `refuse`. |
//! | `guard_shrink_share_percent`, `guard_shrink_count`, `guard_growth_share_percent`, `guard_growth_count`, `guard_window` | Groups, ours: what the list may lose or gain within the window before it waits for an operator; see `[rolls]`. |
//! | `storm_action`, `storm_members`, `storm_replies`, `storm_window`, `storm_brake` | Groups, ours: when replies to all on one thread are braked, and how; see `[storm]`. |
//! | `report_to_originator_enabled`, `report_to_manager_enabled`, `send_oof_message_to_originator_enabled`, `hidden_group_membership_enabled`, `bcc_blocked` | Groups, as in Exchange. |
//! | `subscribers`, `expand_subscribers` | Microsoft 365 groups, ours: expand here instead of relaying to the cloud. |
//! | `allow_only_members_to_post` | Microsoft 365 groups: who is no member may not write. |
//! | `echo_group_message_back_to_subscribed_sender` | A subscriber of a Microsoft 365 group gets a copy of what he sent himself. |
//! | `stored_attributes` | A table of values that are stored under the name of a setting above; `muster export` writes it where it must. |
//!
//! # Forms
//!
//! TOML: tables `[[recipients]]` and `[[groups]]`. JSON: the same as `{"recipients": […], "groups": […]}`, or one
//! list of objects. CSV: a header line of property names, several values in a cell joined by `;`; a file with the
//! two columns `group` and `member` adds members to groups of any file.

mod attributes;
pub(in crate::connectors) mod csv;
mod encoding;
pub mod fault;
mod load;
mod object;
pub mod property;
pub mod publish;
mod record;
mod table;
pub mod watch;
pub mod write;

pub use fault::FileFault;
pub use load::{FileRead, Loaded, Snapshot, load, load_unless};
pub(super) use object::location_of;

#[cfg(test)]
mod example_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod write_tests;
