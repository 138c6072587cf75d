//! Settings that hold together: plain values, every default filled in, every name resolved.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use super::credentials::AccountSettings;
pub use super::filters::{FilterKindWord, FilterPlace, FilterSettings, OnFailureWord};
pub use super::listen::ListenerSettings;
pub use super::terms::{FilterText, SenderPattern};
pub use super::word::{
    AcceptedDomainKind, Author, AutoReplies, DisabledAccounts, DomainPattern, Forwarding, LargeGroup, ListenerAuth,
    ListenerTls, LocationWord, LogFormat, LogLevel, Membership, Name, NestedRestrictions, NotifyPartial, ReplyDialect,
    ReturnPath, Role, RollMode, Selector, SideWord, SourceKind, Spoofed, SuppressedReports, Token, Verify,
};
use crate::connectors::document::units::Network;
use crate::connectors::guard::GuardSettings;
use crate::directory::group::{ComparisonProfile, StaleAction};
use crate::directory::kind::RecipientKind;
use crate::listener::tls::CertificateFiles;
use crate::mail::Priority;
use crate::mail::address::{Domain, Mailbox};
use crate::mail::signature::SigningKey;
use crate::policy::storm::StormRules;
use crate::resolver::CertificateName;
use crate::rolls::guard::GuardLimits;
use crate::rolls::suspect::SuspectSettings;
use crate::routing::{HopSignIn, HopTls};

/// Everything the settings file decides. Units, bounds and traps are explained on the keys in `file.rs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Our name in greetings and trace fields.
    pub hostname: Domain,
    /// Absolute, unless the settings file itself was named by a relative path.
    pub data_dir: PathBuf,
    /// Local socket of the commands.
    pub control_socket: PathBuf,
    /// Where mail for `postmaster` goes.
    pub postmaster: Mailbox,
    /// Domains we take mail for; exactly one is the default.
    pub accepted_domains: Vec<AcceptedDomainSettings>,
    /// The log.
    pub log: LogSettings,
    /// Our certificates; the first serves who asks for no name.
    pub certificates: Vec<CertificateFiles>,
    /// Who vouches for certificates of clients; none: the system's authorities.
    pub client_authorities_file: Option<PathBuf>,
    /// Who knows the accounts; none: nobody can log in.
    pub accounts: Option<AccountSettings>,
    /// Where clients connect; names are unique.
    pub listeners: Vec<ListenerSettings>,
    /// Networks whose senders are internal; names are unique.
    pub trusted_networks: Vec<TrustedNetworkSettings>,
    /// Checks of where mail comes from.
    pub authenticity: AuthenticitySettings,
    /// Content filters, in the order they are asked.
    pub filters: Vec<FilterSettings>,
    /// Name servers.
    pub dns: DnsSettings,
    /// Where recipient objects come from; names are unique.
    pub sources: Vec<SourceSettings>,
    /// Keys that copies are signed with; names are unique.
    pub signing_keys: Vec<SigningKeySettings>,
    /// Where copies go; names are unique.
    pub next_hops: Vec<NextHopSettings>,
    /// Which next hop a copy takes; every name is that of a next hop.
    pub routing: RoutingSettings,
    /// Decisions.
    pub policy: PolicySettings,
    /// Mail that waits for a moderator.
    pub moderation: ModerationSettings,
    /// Storms of replies to all.
    pub storm: StormRules,
    /// The moderators' page; none: there is none.
    pub web: Option<WebSettings>,
    /// Stored lists of groups.
    pub rolls: RollSettings,
    /// Waiting.
    pub queue: QueueSettings,
    /// Bounds.
    pub limits: LimitSettings,
    /// Addresses that reports come back to; none: next hops are sent the original.
    pub return_paths: Option<ReturnPathSettings>,
    /// Reports about TLS; none: none are made.
    pub tls_reports: Option<TlsReportSettings>,
    /// How long tracking events are kept.
    pub tracking_retention: Duration,
}

impl Settings {
    /// The organisation's default domain.
    #[must_use]
    pub fn default_domain(&self) -> &Domain {
        let default = self.accepted_domains.iter().find(|domain| domain.is_default);
        default.map_or(&self.hostname, |domain| &domain.pattern.domain)
    }

    /// A listener by its name.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<&ListenerSettings> {
        self.listeners.iter().find(|listener| listener.name.as_str() == name)
    }

    /// A next hop by its name.
    #[must_use]
    pub fn next_hop(&self, name: &str) -> Option<&NextHopSettings> {
        self.next_hops.iter().find(|hop| hop.name.as_str() == name)
    }
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// Least severe line.
    pub level: LogLevel,
    /// Form.
    pub format: LogFormat,
}

/// `[[accepted_domains]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedDomainSettings {
    /// The domain, with or without its subdomains.
    pub pattern: DomainPattern,
    /// Who knows its recipients.
    pub kind: AcceptedDomainKind,
    /// Where unknown recipients of a relay domain go; none: as routing says.
    pub next_hop: Option<Name>,
    /// Trusted networks of the system that shares it.
    pub other_side: Vec<Name>,
    /// True for exactly one.
    pub is_default: bool,
}

/// `[[trusted_networks]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedNetworkSettings {
    /// Unique.
    pub name: Name,
    /// Empty only if there are certificates.
    pub networks: Vec<Network>,
    /// Names of certificates.
    pub certificates: Vec<CertificateName>,
    /// Names of listeners; each exists.
    pub listeners: Vec<Name>,
    /// Reverse-path domains; the accepted domains where the file names none.
    pub domains: Vec<DomainPattern>,
    /// What must come on top; none: the addresses are the organisation's alone.
    pub tenancy: Option<TenancySettings>,
}

/// How a shared network's provider says whose mail it is; at least one of the two does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenancySettings {
    /// Field and value of the stamp.
    pub stamp: Option<(Token, Token)>,
    /// Whether a signature does.
    pub signature: bool,
}

/// `[authenticity]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticitySettings {
    /// Our name in results.
    pub authserv_id: Domain,
    /// Which mail is checked.
    pub verify: Verify,
    /// Whether DMARC pass proves.
    pub dmarc_proves: bool,
    /// Time for the checks of one message.
    pub time_limit: Duration,
}

/// `[dns]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Whether answers are validated, for DANE.
    pub dnssec: bool,
    /// Keys to validate from; those of the root, if none.
    pub trust_anchors: Option<PathBuf>,
    /// Wait for one answer.
    pub timeout: Duration,
}

/// `[[sources]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// Unique.
    pub name: Name,
    /// What it is.
    pub kind: SourceKind,
    /// The folder.
    pub path: PathBuf,
    /// Age beyond which an unknown recipient is deferred; never, if none.
    pub max_age: Option<Duration>,
    /// Whether changes are taken up at once.
    pub watch: bool,
    /// How often the folder is looked at.
    pub poll_interval: Duration,
    /// When a load is held.
    pub guard: GuardSettings,
    /// Whether mailboxes in the cloud match `RecipientType -eq 'UserMailbox'` in rules of this source.
    pub remote_mailboxes_match_user_mailbox: bool,
}

/// `[[next_hops]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHopSettings {
    /// Unique.
    pub name: Name,
    /// Where it is.
    pub target: NextHopTarget,
    /// Sessions at once.
    pub connections_max: u32,
    /// Recipients of one copy.
    pub recipients_max: u32,
    /// Time after which a waiting copy has failed.
    pub expiry: Duration,
    /// Reverse-path of its copies.
    pub return_path: ReturnPath,
    /// Keys of DKIM signatures; each exists.
    pub dkim_sign: Vec<Name>,
    /// Key of the ARC set; it exists.
    pub arc_seal: Option<Name>,
    /// TLS.
    pub tls: Arc<HopTls>,
    /// Who we are to it.
    pub sign_in: Option<Arc<HopSignIn>>,
    /// Whether TLSA records count.
    pub dane: bool,
    /// Whether MTA-STS policies count.
    pub mta_sts: bool,
    /// Messages in a minute.
    pub messages_per_minute_max: Option<u32>,
    /// EHLO name; ours, if none.
    pub helo: Option<Domain>,
    /// Source addresses.
    pub sources: Vec<IpAddr>,
    /// Whether BDAT is used.
    pub chunking: bool,
    /// Whether 8-bit content goes to servers that do not offer 8BITMIME.
    pub assume_8bitmime: bool,
    /// Files that complete TLS and `sign_in`; they are read when settings are loaded.
    pub files: HopFiles,
}

/// Files that a next hop's settings name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HopFiles {
    /// Authorities.
    pub authorities: Option<PathBuf>,
    /// Our certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Password, or client secret.
    pub secret: Option<PathBuf>,
}

/// `[[signing_keys]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeySettings {
    /// Unique.
    pub name: Name,
    /// `d=`.
    pub domain: Domain,
    /// `s=`.
    pub selector: Selector,
    /// Where the private key is.
    pub file: PathBuf,
    /// The key; none only before its file was read.
    pub key: Option<Arc<SigningKey>>,
}

/// `[return_paths]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnPathSettings {
    /// Where reports come to.
    pub bounce_address: Mailbox,
    /// Domain of rewritten senders.
    pub srs_domain: Domain,
    /// How long.
    pub valid_for: Duration,
}

/// `[tls_reports]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsReportSettings {
    /// Our organisation.
    pub organization: String,
    /// Who answers for reports.
    pub contact: Mailbox,
    /// Keys that reports by mail are signed with.
    pub dkim_sign: Vec<Name>,
}

/// Where a next hop is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHopTarget {
    /// Servers, sorted by preference; never empty.
    Hosts(Vec<HostSettings>),
    /// MX records of the recipient's domain.
    Mx {
        /// Port of the MX hosts.
        port: u16,
    },
    /// A folder of files.
    DropDirectory(PathBuf),
}

/// One server of a next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSettings {
    /// Host name, or an IP address without brackets.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
    /// Lower is tried first.
    pub preference: u16,
    /// Share of the load.
    pub weight: u16,
}

/// `[routing]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingSettings {
    /// Asked first; the most specific one decides: more labels, then without subdomains.
    pub domains: Vec<(DomainPattern, Name)>,
    /// Mailboxes in the cloud.
    pub cloud: Name,
    /// Mailboxes on premises.
    pub on_premises: Name,
    /// Everybody else.
    pub external: Name,
    /// Groups that are not cut over; none: every group is expanded here.
    pub side_by_side: Option<Name>,
    /// Ordered rules, asked before everything else.
    pub rules: Vec<RoutingRuleSettings>,
}

/// `[[routing.rules]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingRuleSettings {
    /// Unique.
    pub name: Name,
    /// Condition on the recipient object.
    pub recipient: Option<FilterText>,
    /// Domains of the final address; empty: any.
    pub domains: Vec<DomainPattern>,
    /// Kinds; empty: any.
    pub kinds: Vec<RecipientKind>,
    /// Places; empty: any.
    pub locations: Vec<LocationWord>,
    /// Addressed groups; empty: any recipient.
    pub groups: Vec<Mailbox>,
    /// Side of the sender.
    pub sender: Option<SideWord>,
    /// Senders; empty: any.
    pub senders: Vec<SenderPattern>,
    /// Octets.
    pub size_min: Option<u64>,
    /// Octets.
    pub size_max: Option<u64>,
    /// Listeners; empty: any.
    pub listeners: Vec<Name>,
    /// A name of a next hop; one of the two is there.
    pub next_hop: Option<Name>,
    /// How urgent.
    pub priority: Option<Priority>,
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySettings {
    /// Members whose account is disabled.
    pub disabled_accounts: DisabledAccounts,
    /// Forwarding set on a mailbox.
    pub forwarding: Forwarding,
    /// Rules of nested groups.
    pub nested_restrictions: NestedRestrictions,
    /// Who hears of refused nested branches.
    pub notify_partial: NotifyPartial,
    /// Mail that claims our domains without proof.
    pub spoofed: Spoofed,
    /// Who decides about quarantined mail; none: postmaster.
    pub quarantine_moderators: Option<Vec<Mailbox>>,
    /// Whether the author must be the sender.
    pub author: Author,
    /// Form of refusals.
    pub reply_dialect: ReplyDialect,
    /// Return path where a group reports to nobody.
    pub suppressed_reports: SuppressedReports,
    /// Automatic replies of members.
    pub auto_replies: AutoReplies,
    /// Large groups that are open to everybody.
    pub large_group: LargeGroup,
    /// Members from which on a group is large.
    pub large_group_members: u32,
    /// Whether `lena+anything@` reaches `lena@`.
    pub plus_addressing: bool,
    /// How filters compare texts.
    pub comparison_profile: ComparisonProfile,
    /// Whether filters may ask for membership over nested groups.
    pub member_of_group_recursive: bool,
}

/// `[moderation]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModerationSettings {
    /// Time a message waits.
    pub expiry: Duration,
    /// Approvals needed.
    pub quorum: u32,
    /// Whom a released message goes to.
    pub membership: Membership,
    /// Who is asked at half time; none: the owners of the group.
    pub substitutes: Option<Vec<Mailbox>>,
    /// Language of letters.
    pub language: String,
    /// Folder of templates.
    pub templates: Option<PathBuf>,
    /// Their names (`de/request.txt`) and texts.
    pub template_texts: Vec<(String, String)>,
    /// Answers go to addresses below it.
    pub address: Mailbox,
}

/// `[web]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSettings {
    /// Port 0 lets the system choose.
    pub address: SocketAddr,
    /// Without a slash at the end.
    pub public_url: String,
}

/// `[rolls]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollSettings {
    /// When lists are computed.
    pub mode: RollMode,
    /// Time between rebuilds in mode `interval`.
    pub interval: Duration,
    /// Age beyond which a list is stale; never, if none.
    pub max_age: Option<Duration>,
    /// Mail for a group whose list is stale.
    pub on_stale: StaleAction,
    /// Time between full verifications.
    pub verify_every: Duration,
    /// What a list may lose or gain before it waits.
    pub guard: GuardLimits,
    /// How long history is kept.
    pub history_retention: Duration,
    /// When an address is suspected, and what follows.
    pub suspects: SuspectSettings,
}

/// `[queue]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    /// Time after which a waiting recipient has failed.
    pub expiry: Duration,
    /// Wait before the second try.
    pub retry_first: Duration,
    /// Longest wait between two tries.
    pub retry_max: Duration,
    /// When the sender is told of a delay.
    pub delay_report_after: Duration,
    /// Messages in the queue.
    pub messages_max: u32,
    /// How long failures are gathered.
    pub report_gather: Duration,
}

/// `[limits]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Octets.
    pub disk_free_min: u64,
    /// Sessions over all listeners.
    pub sessions_max: u32,
    /// Received fields.
    pub received_fields_max: u32,
    /// Octets.
    pub header_section_max: u64,
    /// Nesting on one path.
    pub expansion_depth_max: u32,
    /// Recipients of one message.
    pub expansion_recipients_max: u32,
}
