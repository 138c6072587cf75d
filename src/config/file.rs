//! The settings file: every key with its use, unit, default and trap.
//!
//! In: a TOML document. Out: what it states, each value with its place. Never: a default; those are in
//! `defaults.rs`, so that `check` can tell what was stated from what was not. `config/muster.toml` shows every
//! key once; a test holds the two together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_spanned::Spanned;

use super::credentials::{Accounts, Certificate, Tls};
use super::filters::Filter;
use super::hop::NextHop;
use super::listen::{Listener, TrustedNetwork};
use super::route::{Queue, Routing};
use super::storm::Storm;
use super::tls_reports::TlsReports;
use super::word::{
    AcceptedDomainKind, Author, AutoReplies, DisabledAccounts, DomainPattern, Forwarding, LargeGroup, LogFormat,
    LogLevel, Membership, Name, Names, NestedRestrictions, NotifyPartial, ReplyDialect, RollMode, Selector, SourceKind,
    Spoofed, SuppressedReports, Verify,
};
use crate::connectors::document::read::{Size, keys, readable};
use crate::directory::group::{ComparisonProfile, StaleAction};
use crate::mail::address::{Domain, Mailbox};

keys! {
    /// The whole file.
    SettingsFile {
        /// Name of this machine in greetings, EHLO and Received fields. Default: the host name of the system.
        /// Trap: next hops may refuse a name that does not resolve to the address they see.
        optional hostname: Domain,
        /// Where messages, directory and tracking are stored; a relative path starts at the settings file.
        /// Default: `/var/lib/muster`. Trap: a network file system that does not honour fsync loses mail at a
        /// power cut.
        optional data_dir: PathBuf,
        /// Address that mail for `postmaster` of every accepted domain goes to, and that reports about our own
        /// trouble are sent to. Required (RFC 5321 §4.5.1).
        required postmaster: Mailbox,
        /// Local socket that `muster trace`, `queue` and the other commands talk to. Mode 0660.
        /// Default: `control.sock` in `data_dir`. Trap: the system takes at most 107 octets.
        optional control_socket: PathBuf,
        /// Domains we take mail for; a bare name is short for an authoritative domain. At least one.
        required accepted_domains: Vec<Spanned<AcceptedDomain>>,
        /// Log of the service, on standard error.
        optional log: Log,
        /// Certificates that we present to clients; the first also to those that ask for no name (SNI).
        optional certificates: Vec<Spanned<Certificate>>,
        /// TLS of clients.
        optional tls: Tls,
        /// Who may log in (SASL AUTH), and who knows their passwords.
        optional accounts: Accounts,
        /// Where clients connect. At least one.
        required listeners: Vec<Spanned<Listener>>,
        /// Client networks whose senders are internal. Default: none, everybody is a stranger.
        optional trusted_networks: Vec<Spanned<TrustedNetwork>>,
        /// Checks of where mail comes from: SPF, DKIM, DMARC and ARC.
        optional authenticity: Authenticity,
        /// Content filters, asked about each message at the end of data, in this order; the first that does not let it go
        /// on decides. They add fields; what the sender wrote stays as it is.
        optional filters: Vec<Spanned<Filter>>,
        /// Which name servers are asked.
        optional dns: Dns,
        /// Where recipient objects come from. At least one.
        required sources: Vec<Spanned<Source>>,
        /// Keys that copies are signed with, where next hops say so.
        optional signing_keys: Vec<Spanned<SigningKey>>,
        /// Where copies go. At least one.
        required next_hops: Vec<Spanned<NextHop>>,
        /// Which next hop a recipient's copies take.
        required routing: Routing,
        /// Decisions where Exchange leaves one or administrators differ.
        optional policy: Policy,
        /// Mail that waits for a moderator.
        optional moderation: Moderation,
        /// Storms of replies to all.
        optional storm: Storm,
        /// The page on which moderators decide.
        optional web: Web,
        /// When stored lists of groups are computed and how old they may get.
        optional rolls: Rolls,
        /// Waiting and trying again.
        optional queue: Queue,
        /// Bounds of the whole service.
        optional limits: Limits,
        /// Addresses of our own that reports about copies come back to. Needed by next hops that say so.
        optional return_paths: ReturnPaths,
        /// Reports to domains about TLS with their mail exchangers (RFC 8460).
        optional tls_reports: TlsReports,
        /// What became of each message, kept for `muster trace`.
        optional tracking: Tracking,
    }

    /// `[log]`
    Log {
        /// Least severe line that is written: `error`, `warn`, `info`, `debug` or `trace`. Default: `info`.
        /// Trap: `debug` names recipients of every message.
        optional level: LogLevel,
        /// `text` for people, `json` for machines: one object per line. Default: `text`.
        optional format: LogFormat,
    }

    /// `[[accepted_domains]]`
    AcceptedDomain {
        /// The domain; `*.contoso.example` stands for it and all its subdomains. Required.
        required name: DomainPattern,
        /// `authoritative`: an unknown recipient is refused (550 5.1.10). `internal_relay`: another system shares
        /// the domain, an unknown recipient is relayed to it (`next_hop`). `external_relay`: another organisation's,
        /// whose mail passes through here; its senders are outside senders. Default: `authoritative`.
        /// Trap: relay domains accept mail for addresses that exist nowhere and report it later.
        optional kind: AcceptedDomainKind,
        /// Next hop of unknown recipients of a relay domain: the other side. Default: what `[routing]` says of the
        /// domain, else the next hop of everybody else.
        optional next_hop: Name,
        /// Trusted networks that the other side of an `internal_relay` domain sends from: what it sends here for an
        /// unknown recipient is refused (550 5.1.10) instead of sent back. Default: none; then what was handed over
        /// before and comes back is refused at the end of data (554 5.4.6), known by a mark of ours.
        optional other_side: Names,
        /// Whether this is the organisation's default domain, which names our own postmaster and decodes IMCEAEX
        /// addresses. Default: true for the first domain.
        optional default: bool,
    }

    /// `[authenticity]`
    Authenticity {
        /// Our name in `Authentication-Results` fields; fields that others wrote in this name are removed.
        /// Default: `hostname`. Trap: machines that should trust each other's results need one name.
        optional authserv_id: Domain,
        /// Which mail is checked: `when_needed`, only where a proof depends on it, or `unproven`, all mail that nothing
        /// else proves internal. Checked mail gets an `Authentication-Results` field. Default: `when_needed`.
        /// Trap: with `unproven` every stranger's message waits for DNS.
        optional verify: Verify,
        /// Whether DMARC pass proves a sender internal if the author is of an accepted domain. Default: false.
        /// Trap: whoever may send by your DMARC record, such as a newsletter service, counts as a colleague; and a
        /// signed message can be sent again to others.
        optional dmarc_proves: bool,
        /// Time for all checks of one message; what takes longer is a temporary error. Default: 5s.
        /// Trap: where a proof depends on it the client is told to try again (451).
        optional time_limit: Duration,
    }

    /// `[dns]`
    Dns {
        /// Name servers with port, `192.0.2.53:53`, for mail exchangers and for the checks of where mail comes from.
        /// Default: those of the system. Trap: without a port the address is not read.
        optional servers: Vec<Spanned<SocketAddr>>,
        /// Whether answers about mail exchangers are validated (DNSSEC), so that `dane` at next hops can count on them.
        /// Default: false. Trap: name servers that leave signatures out make every signed domain look forged, and mail for
        /// it waits; try `delv` or `unbound-host -D` first.
        optional dnssec: bool,
        /// File with the DNSKEY records that validation starts from. A relative path starts at the settings file.
        /// Default: the keys of the root.
        optional trust_anchor_file: PathBuf,
        /// Wait for one answer; a name server is asked twice. Default: 5s.
        optional timeout: Duration,
    }

    /// `[[sources]]`
    Source {
        /// Its name: the source of authority of the objects it delivers. Required.
        /// Trap: after a rename every object counts as moved from another source.
        required name: Name,
        /// `files`: a folder of TOML, JSON and CSV files. Required.
        required kind: SourceKind,
        /// The folder; a relative path starts at the settings file. Required.
        required path: PathBuf,
        /// Age beyond which an unknown recipient is deferred (451) instead of refused (550), because the source
        /// may know it by now. Default: none; files do not get old by themselves.
        optional max_age: Duration,
        /// Whether a change of the folder is taken up at once. Default: true. With false only `muster reload`
        /// takes it up.
        optional watch: bool,
        /// How often the folder is looked at in case the system did not tell of a change (network file systems
        /// never do). Default: 1m.
        optional poll_interval: Duration,
        /// A load that loses more than this share of the objects, and more than `shrink_guard_count`, is held
        /// until `muster reload --accept`. Unit: percent, 0 to 100. Default: 20.
        optional shrink_guard_share: u32,
        /// See `shrink_guard_share`. Unit: objects. Default: 10.
        /// Trap: a large number with a small organisation switches the guard off.
        optional shrink_guard_count: u32,
        /// How long losses are added up: leavers arrive one by one. Default: 1h. With 0s each load is judged alone.
        optional shrink_guard_window: Duration,
        /// Whether mailboxes that moved to the cloud still match `RecipientType -eq 'UserMailbox'`, and its LDAP form
        /// `(msExchHomeServerName=*)`, in the rules of this source's groups. Default: false, as Exchange does. Set it
        /// where the rules are from the time before the move; `muster group lint` shows both counts.
        /// Trap: shared, room and equipment mailboxes that moved match as well, as they did before.
        optional remote_mailboxes_match_user_mailbox: bool,
    }

    /// `[[signing_keys]]`
    SigningKey {
        /// Its name in `dkim_sign` and `arc_seal`. Required.
        required name: Name,
        /// Domain that signs (`d=`). Required. Trap: DMARC counts a signature only if this is the author's domain.
        required domain: Domain,
        /// Selector (`s=`): the public key stands in DNS at `SELECTOR._domainkey.DOMAIN`. Required.
        /// Trap: change it with the key; what is on its way was signed with the old one.
        required selector: Selector,
        /// File with the private key in PEM form: Ed25519, or RSA of at least 2048 bits. A relative path starts at the
        /// settings file. Required. `muster check --dns` shows the record to publish, and whether it is there.
        /// Trap: nobody but the service may read it; a new key in the same file counts from the next reload.
        required key_file: PathBuf,
    }

    /// `[policy]`
    Policy {
        /// Members whose account is disabled: `deliver` as Exchange does, or `drop` with a tracked reason. Shared,
        /// room and other mailboxes whose accounts are disabled by design always get their copy.
        /// Default: `deliver`.
        optional disabled_accounts: DisabledAccounts,
        /// Forwarding set on a mailbox: left to its server (`next_hop`), or done `here`. Default: `next_hop`.
        /// Trap: `here` while the server forwards too delivers twice.
        optional forwarding: Forwarding,
        /// Whether rules of nested groups are asked too (`enforce`, as Exchange does) or those of the addressed
        /// group only (`top_only`). Default: `enforce`.
        /// Trap: with `top_only` whoever may write to the outer group reaches every inner one.
        optional nested_restrictions: NestedRestrictions,
        /// When a nested group or member is refused, who is told: the sender if its address is `proved`, `always`,
        /// or `never`. Default: `proved`. Trap: `always` sends reports to forged addresses.
        optional notify_partial: NotifyPartial,
        /// Mail that claims an accepted domain without proof: `refuse` (550 5.7.1), hold for `quarantine_moderators`
        /// (`quarantine`), or treat as `external`. Default: `refuse`. Trap: outside services that write in your name
        /// are refused until their networks are trusted.
        optional spoofed: Spoofed,
        /// Who decides about quarantined mail; it may pass the rules for external senders only. Mail to a moderated
        /// group is held for the group's moderators, who are told that nothing proves the sender. Nobody whose
        /// address was claimed is told anything. Default: `postmaster`.
        optional quarantine_moderators: Vec<Spanned<Mailbox>>,
        /// Whether the author in `From` must be the sender: `ignore` as Exchange, which looks at the reverse-path only;
        /// `permitted`, the sender or somebody who lets him send as him or on his behalf (`send_as`,
        /// `grant_send_on_behalf_to`); `same`, the sender only. With the last two, mail from outside in the name of an
        /// accepted domain, from a domain that looks like one, and mail without exactly one readable `From` field is
        /// refused. Default: `ignore`.
        /// Trap: a colleague's mail that comes back from a list outside is refused unless DMARC passes for it.
        optional author: Author,
        /// Form of refusals, in replies and reports: codes as `exchange_online` gives them (5.7.133, 5.7.124,
        /// 5.1.10) or as `exchange` Server does (5.7.1, 5.1.1). The words that help desks search for
        /// (`RESOLVER.RST.NotAuthorized`) stand in both. Default: `exchange_online`.
        optional reply_dialect: ReplyDialect,
        /// Return path of copies through a group that reports to nobody: `null`, as Exchange may do, or `unchanged`.
        /// They carry NOTIFY=NEVER in any case. Default: `null`. Trap: some servers refuse `<>`; with `unchanged`
        /// a server that ignores NOTIFY tells the sender after all.
        optional suppressed_reports: SuppressedReports,
        /// Out-of-office and other automatic replies of members to mail through a group: `as_group_says` adds
        /// `X-Auto-Response-Suppress` to the copies unless the group has SendOofMessageToOriginatorEnabled, as
        /// Exchange does; `allow` adds nothing. Default: `as_group_says`.
        optional auto_replies: AutoReplies,
        /// Mail to a group of at least `large_group_members` that has neither an accept list nor moderators:
        /// `allow` it, `refuse` it (550 5.7.1), or `hold` it for the owners. With `confirm` a proven sender is asked
        /// whether he means it, for restricted and moderated groups too if nobody else is asked; others' mail to an
        /// open group is held for the owners. Default: `allow`.
        /// Trap: with `hold` and `confirm` a group without owners refuses what its owners would have to decide; with
        /// `confirm` services that write to large groups are asked as well.
        optional large_group: LargeGroup,
        /// Members, nested groups included, from which on a group is large. Default: 5000, as Exchange Online.
        optional large_group_members: u32,
        /// Whether `lena+anything@` reaches `lena@`. Default: false.
        optional plus_addressing: bool,
        /// How filters of dynamic groups compare texts unless a group says otherwise: `active_directory` ignores
        /// case, accents and width (`Zurich` = `Zürich`), `cloud` ignores case only. Default: `cloud`.
        optional comparison_profile: ComparisonProfile,
        /// Whether filters may ask for `MemberOfGroupRecursive`: `MemberOfGroup` with the members of nested groups,
        /// which Exchange does not have. Default: false. Trap: such a filter cannot be taken back to Exchange.
        optional member_of_group_recursive: bool,
    }

    /// `[moderation]`
    Moderation {
        /// Time a message waits for a moderator; a group may say otherwise (`moderation_expiry`). After half of it
        /// moderators are reminded and substitutes are asked. Default: 2d, as Exchange Online.
        optional expiry: Duration,
        /// Approvals that are needed; a group may say otherwise (`moderation_quorum`). One refusal always ends it.
        /// Default: 1. Trap: a group with fewer moderators needs all of them.
        optional quorum: u32,
        /// Whom a released message goes to: the members at its `release`, or those at its `submission` who are still
        /// in the directory. What held a message says keeps to it. Default: `release`.
        /// Trap: with `submission` the history of lists must reach as far back as a message may wait.
        optional membership: Membership,
        /// Who is asked when half of the time is over, or when no moderator can be reached; a group may say
        /// otherwise (`moderation_substitutes`). Default: the owners of the group.
        optional substitutes: Vec<Spanned<Mailbox>>,
        /// Language of requests and notices: `en`, `de`, or a folder in `templates`; a group may say otherwise
        /// (`moderation_language`). Default: `en`.
        optional language: Name,
        /// Folder with templates that take the place of ours: `en/request.txt`, `de/rejected.txt`, `fr/page.html`.
        /// A relative path starts at the settings file. Default: none.
        /// Trap: a template that breaks on a value it does not expect is replaced by ours, with an error in the log.
        optional templates: PathBuf,
        /// Address below which moderators answer by mail: `moderation+m17.TOKEN@…`. Its domain must be accepted, its
        /// local-part at most 17 octets. Default: `moderation` in the default domain.
        /// Trap: mail for it must reach this service; route the address here where a domain is shared.
        optional address: Mailbox,
    }

    /// `[web]`
    Web {
        /// IP address and port of the moderators' page: `127.0.0.1:8025`. Default: none, there is no page and
        /// requests carry no links. Trap: it speaks plain HTTP; put a reverse proxy with TLS in front of it.
        optional address: SocketAddr,
        /// How moderators' browsers reach it: `https://mail.contoso.example`. Default: none; required with `address`.
        /// Trap: whoever can read a link can decide; `http://` shows it to everybody on the way.
        optional public_url: String,
    }

    /// `[rolls]`
    Rolls {
        /// `on_change`: a change of the directory changes the lists it affects at once. `interval`: lists are
        /// rebuilt every `interval`, as Exchange Online does. Default: `on_change`.
        optional mode: RollMode,
        /// Time between rebuilds in mode `interval`. Default: 24h.
        optional interval: Duration,
        /// Age beyond which a list counts as stale. Default: none; a list is as good as its directory.
        optional max_age: Duration,
        /// Mail for a group whose list is stale: `serve` it, `defer` it (451), or `refuse` it (550).
        /// Default: `serve`. Trap: `refuse` turns a directory that is down into bounces.
        optional on_stale: StaleAction,
        /// How often every list is computed anew and compared, whatever the mode. Default: 24h.
        optional verify_every: Duration,
        /// A list that would lose more than this share of its largest version within `guard_window`, and more than
        /// `guard_shrink_count` entries, waits for `muster guard accept`; mail reaches the list from before. Groups
        /// may say otherwise. Unit: percent. Default: 20.
        optional guard_shrink_share_percent: u32,
        /// See `guard_shrink_share_percent`. Unit: entries. Default: 10.
        /// Trap: a large number switches the guard off for every group that is smaller.
        optional guard_shrink_count: u32,
        /// A list that would gain more than this share of its smallest version within `guard_window`, and more than
        /// `guard_growth_count` entries, waits too. Unit: percent. Default: 100.
        optional guard_growth_share_percent: u32,
        /// See `guard_growth_share_percent`. Unit: entries. Default: 100.
        optional guard_growth_count: u32,
        /// How long changes are counted together: leavers arrive one by one. Default: 1h.
        optional guard_window: Duration,
        /// How long versions of lists, changes of values and decisions are kept. Default: 400d.
        /// Trap: they name people; the law may want less. `trace` then cannot tell who was in a list.
        optional history_retention: Duration,
        /// Refused messages after which an address is listed as suspect for the owners. Default: 3.
        optional suspect_after: u32,
        /// Refused messages after which a suspect is left out of groups, until a message reaches it or
        /// `muster suspects clear`. Default: never. Trap: somebody who is left out gets nothing that could reach it,
        /// so only an operator brings it back.
        optional suppress_suspects_after: u32,
    }

    /// `[limits]`
    Limits {
        /// Free disk space below which clients get 452, so that what was accepted can still be delivered.
        /// Unit: octets. Default: 1G.
        optional disk_free_min: Size,
        /// Most sessions at once over all listeners; beyond it 421. Default: 1000.
        /// Trap: each needs a file descriptor; see LimitNOFILE in `muster.service`.
        optional sessions_max: u32,
        /// Most Received fields before a message counts as looping (554 5.4.6). Default: 100.
        /// Trap: fewer than 100 breaks RFC 5321 §6.3.
        optional received_fields_max: u32,
        /// Largest header section; beyond it 552 5.3.4. Unit: octets. Default: 256K, as Exchange.
        optional header_section_max: Size,
        /// Deepest nesting of groups and forwards on one path; a branch that is deeper is refused. Default: 100.
        optional expansion_depth_max: u32,
        /// Most recipients of one message after expansion; beyond it the message is refused as a whole.
        /// Default: 2000000.
        optional expansion_recipients_max: u32,
    }

    /// `[return_paths]`
    ReturnPaths {
        /// Reports about copies come back to `LOCAL+TOKEN@DOMAIN` of this address. Default: none; `return_path` at a
        /// next hop needs it. Trap: its domain must be an accepted domain whose mail arrives here, also from outside.
        optional bounce_address: Mailbox,
        /// Domain of rewritten outside senders, an accepted domain. Default: that of `bounce_address`.
        optional srs_domain: Domain,
        /// How long a return path takes reports. Default: 10d. Trap: systems that try for days report late.
        optional valid_for: Duration,
    }

    /// `[tracking]`
    Tracking {
        /// How long events are kept. Default: 90d. Trap: they name senders and recipients; the law may want less.
        optional retention: Duration,
    }
}

readable! { SettingsFile Log Authenticity Dns Source SigningKey Policy Moderation Web Rolls Limits ReturnPaths Tracking }
readable! { text AcceptedDomain: name }
