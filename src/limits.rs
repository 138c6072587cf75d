//! Bounds, each with a name and a reason.

use std::time::Duration;

/// Longest command line in octets, CRLF included.
///
/// RFC 5321 §4.5.3.1.4 says 512 and lets extensions add; RFC 3461 adds up to 500 for ORCPT, RFC 6531 more.
pub const COMMAND_LINE_OCTETS_MAX: usize = 4_096;

/// Failed authentications of one client after which it may not try again for a while.
pub const AUTH_FAILURES_MAX: u32 = 10;

/// How long failed authentications count.
pub const AUTH_FAILURES_WINDOW: Duration = Duration::from_secs(600);

/// Clients whose failed authentications are counted at once.
pub const AUTH_CLIENTS_MAX: u64 = 100_000;

/// Time for the answer to one authentication.
pub const AUTH_TIME_MAX: Duration = Duration::from_secs(10);

/// Passwords hashed at once: each takes its memory and a core.
pub const PASSWORDS_AT_ONCE_MAX: usize = 4;

/// Wait for a client's TLS handshake.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest AUTH command and longest response within its exchange in octets, CRLF included (RFC 4954 §4).
pub const AUTH_LINE_OCTETS_MAX: usize = 12_288;

/// Replies to one pipelined group are written once they exceed this many octets, so that a client that sends and
/// never reads costs no more memory.
pub const REPLIES_PENDING_OCTETS_MAX: usize = 16 * 1024;

/// Largest header section in octets (Exchange: 256 KB).
pub const HEADER_SECTION_OCTETS_MAX: usize = 256 * 1024;

/// Most fields in a header section.
pub const HEADER_FIELDS_MAX: usize = 2_000;

/// Most RCPTs in one transaction; beyond it 452 4.5.3. A server must take 100 (RFC 5321 §4.5.3.1.8).
pub const TRANSACTION_RECIPIENTS_MAX: usize = 1_000;

/// Most protocol errors and refused recipients of unknown mailboxes in one session; then 421.
pub const SESSION_ERRORS_MAX: u32 = 20;

/// Largest message in octets unless a listener says otherwise: Exchange Online's 150 MB ceiling.
pub const MESSAGE_OCTETS_MAX: u64 = 150 * 1024 * 1024;

/// Sessions in total.
pub const SESSIONS_MAX: usize = 1_000;

/// Sessions of one client address.
pub const SESSIONS_PER_CLIENT_MAX: usize = 100;

/// Longest pause before a reply after errors, unless a listener says otherwise.
pub const TARPIT_MAX: Duration = Duration::from_secs(10);

/// Longest wait that settings may put on a stranger's session at once.
pub const STRANGER_WAIT_MAX: Duration = Duration::from_secs(60);

/// Time for each look-up about a client, unless a listener says otherwise: the client waits for them.
pub const DNS_CHECKS_TIME_MAX: Duration = Duration::from_secs(5);

/// Lists that one listener asks about a client; each is a look-up for each stranger.
pub const ADDRESS_LISTS_MAX: usize = 16;

/// Names of an address that are followed back; more are no proof of anything.
pub const REVERSE_NAMES_MAX: usize = 10;

/// Characters of a list's own words in a reply.
pub const LIST_TEXT_CHARACTERS_MAX: usize = 200;

/// Clients, and networks, that one rate is kept of; a full table is some megabytes. Those whose rate has recovered make
/// room.
pub const RATE_KEYS_MAX: usize = 50_000;

/// Refusals of connections and rates that are tracked one by one at a listener; of a flood the rest is counted, or the flood would
/// fill the outbox of events and with it stop the mail.
pub const REFUSALS_TRACKED_PER_SECOND_MAX: u32 = 20;

/// Wait for a command (RFC 5321 §4.5.3.2.7).
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Longest time that a session may last without a message of it being taken, however busy it looks: commands in time
/// and to no end would keep a place for good.
pub const FRUITLESS_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Wait for the next block of content (RFC 5321 §4.5.3.2.5).
pub const DATA_BLOCK_TIMEOUT: Duration = Duration::from_secs(3 * 60);

/// Least pace of content in octets per second, averaged over a message beyond its first
/// [`DATA_BLOCK_TIMEOUT`]; slower clients hold a session for nothing (Postfix's default is 500).
pub const DATA_OCTETS_PER_SECOND_MIN: u64 = 500;

/// Longest time for one message's content, whatever its pace.
pub const DATA_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

/// Time that transactions in progress have when a listener stops.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest PROXY header in octets: addresses, and what a proxy says about TLS, a client's certificate included.
pub const PROXY_HEADER_OCTETS_MAX: usize = 8 * 1024;

/// Wait for a whole PROXY header; the proxy has it before it connects.
pub const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// After the last reply unread octets are read and dropped this long, so that the reply is not lost with a reset.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// Input buffer of a session between messages; an idle client costs less than 16 KiB (`reliability.md` §3.2).
pub const SESSION_BUFFER_OCTETS: usize = 8 * 1024;

/// Input buffer of a session while much content arrives.
pub const CONTENT_BUFFER_OCTETS: usize = 128 * 1024;

/// Connections that the kernel keeps until they are accepted.
pub const ACCEPT_BACKLOG: i32 = 1_024;

/// Longest reply line of a next hop in octets, CRLF included.
///
/// RFC 5321 §4.5.3.1.5 says 512; real servers exceed it.
pub const REPLY_LINE_OCTETS_MAX: usize = 1_000;

/// Most lines in one reply of a next hop.
pub const REPLY_LINES_MAX: usize = 100;

/// Most octets in one reply of a next hop.
pub const REPLY_OCTETS_MAX: usize = 64 * 1024;

/// Wait for a next hop's greeting, and for its reply to EHLO, MAIL and RCPT (RFC 5321 §4.5.3.2.1 to .3).
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Wait for the reply to DATA (RFC 5321 §4.5.3.2.4).
pub const DATA_REPLY_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// Wait for the reply to the final dot (RFC 5321 §4.5.3.2.6); shorter ones make duplicates.
pub const FINAL_REPLY_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Wait for the reply to QUIT; nothing depends on it.
pub const QUIT_REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Most Received fields before a message is a loop (RFC 5321 §6.3 asks for at least 100).
pub const RECEIVED_FIELDS_MAX: usize = 100;

/// Most marks of our own in a message: addressed groups it has been through (DESIGN §6).
pub const LOOP_MARKS_MAX: usize = 32;

/// Deepest nesting of groups, forwarding and contact targets on one path.
pub const EXPANSION_DEPTH_MAX: usize = 100;

/// Most recipients of one message after expansion.
pub const EXPANSION_RECIPIENTS_MAX: usize = 2_000_000;

/// Most groups walked to find out whether a sender is in one list; beyond it the list counts as not available.
pub const LISTED_GROUPS_MAX: usize = 20_000;

/// Octets of messages that are brought into memory at once for the check of their signatures; the next waits, within
/// its time limit.
pub const AUTHENTICITY_MEMORY_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// Records of each kind that the checks of signatures and senders keep.
pub const AUTHENTICITY_CACHED_MAX: u64 = 10_000;

/// Messages whose signatures are kept for their further batches; each takes some kilobytes.
pub const SIGNATURES_CACHED_MAX: u64 = 1_000;

/// Time for all checks of one message.
pub const AUTHENTICITY_TIME_MAX: Duration = Duration::from_secs(5);

/// A pass longer than this is committed as accepted and finished after the reply (DESIGN §2.2).
pub const PASS_TIME_MAX: Duration = Duration::from_millis(20);

/// Content up to this many octets is stored inside the spool's row.
pub const INLINE_CONTENT_OCTETS_MAX: usize = 16 * 1024;

/// Recipients of a transaction whose content goes along with its commands. With more, the time they take would look like a
/// slow answer, and one round trip is nothing beside it.
pub const CONTENT_AT_ONCE_RECIPIENTS_MAX: usize = 100;

/// Content up to this many octets goes to a next hop that offers CHUNKING together with MAIL and RCPT, one round trip for
/// all (RFC 3030 §4.2): a peer that accepts nobody is sent that much in vain.
pub const CONTENT_AT_ONCE_OCTETS_MAX: u64 = 128 * 1024;

/// Content up to this many octets shares a segment file; above it, it has a file of its own.
pub const SEGMENT_CONTENT_OCTETS_MAX: usize = 1024 * 1024;

/// Recipients in one copy to a next hop, unless the hop takes fewer.
///
/// Unit: recipients. Exchange's `ExpansionSizeLimit` is 1,000; Exchange Online takes 500 by default.
pub const BATCH_RECIPIENTS_MAX: usize = 500;

/// Time in the queue before a recipient is given up (Exchange's `MessageExpirationTimeout`: 2 days).
pub const QUEUE_EXPIRY: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Failures of one message are gathered this long for one report (DESIGN §6).
pub const REPORT_GATHER: Duration = Duration::from_secs(5 * 60);

/// Most recipients named in one report; the rest are counted (DESIGN §6).
pub const REPORT_RECIPIENTS_MAX: usize = 100;

/// Most octets of the original message in a report; above it only its header section.
pub const REPORT_ORIGINAL_OCTETS_MAX: u64 = 64 * 1024;

/// Time a message waits for a moderator (Exchange Server: 5 days).
pub const MODERATION_EXPIRY: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Most octets of an original that is attached whole to a request for approval.
pub const APPROVAL_ORIGINAL_OCTETS_MAX: u64 = 10 * 1024 * 1024;

/// Most octets of originals attached to the requests of one round, which are one commit.
pub const APPROVAL_ROUND_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Most octets of a message that are read for the excerpt in a request.
pub const EXCERPT_SOURCE_OCTETS_MAX: usize = 64 * 1024;

/// Most characters of the excerpt.
pub const EXCERPT_CHARACTERS_MAX: usize = 2_000;

/// Most connections at once to the moderators' page.
pub const WEB_CONNECTIONS_MAX: usize = 256;

/// Longest life of a connection to the moderators' page.
pub const WEB_CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// Largest body of a request to the moderators' page.
pub const WEB_BODY_OCTETS_MAX: usize = 16 * 1024;

/// Members from which on a group is large (Exchange Online: 5,000 need an accept list or approval).
pub const LARGE_GROUP_MEMBERS: u64 = 5_000;

/// Most addresses of To and Cc that are read to find out whether a group was addressed in Bcc.
pub const ADDRESSEES_MAX: usize = 10_000;

/// Most octets of a returned report that are read; what it returns of the message may be longer.
pub const BOUNCE_OCTETS_MAX: usize = 256 * 1024;

/// Most recipients that one returned report is read for.
pub const BOUNCE_RECIPIENTS_MAX: usize = 1_000;

/// Most recipients that reports came back about, remembered until the trace knows of them.
pub const RETURNS_REMEMBERED_MAX: usize = 100_000;

/// Most lists of senders whose groups are remembered beside one table of rolls.
pub const REMEMBERED_LISTS_MAX: usize = 10_000;

/// Most objects in one page of an export: with groups of 100,000 members a page stays below the longest answer.
pub const DIRECTORY_PAGE_MAX: u32 = 2_000;

/// Largest message of `muster send`.
pub const TEST_MESSAGE_OCTETS_MAX: usize = 12 * 1024 * 1024;

/// Longest request on the local socket in octets: a test message in base64 and what is asked about it.
pub const ADMIN_REQUEST_OCTETS_MAX: usize = TEST_MESSAGE_OCTETS_MAX / 3 * 4 + 64 * 1024;

/// Longest answer on the local socket in octets: the members of a group of 100,000 are about 20 MB.
pub const ADMIN_ANSWER_OCTETS_MAX: usize = 128 * 1024 * 1024;

/// Most connections to the local socket; more wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 32;

/// Wait for a request, or for an answer to be read, on the local socket.
pub const ADMIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Most people that `group preview` names on either side; the rest is counted.
pub const PREVIEW_NAMES_MAX: u32 = 1_000;

/// Most versions that `group history` shows.
pub const HISTORY_VERSIONS_MAX: u32 = 10_000;

/// Tracking events moved from the spool to the trace in one commit; mostly about 1 KiB of memory each.
pub const TRACE_MOVE_EVENTS_MAX: usize = 8_000;

/// Events in one move that make the next wait for [`TRACE_MOVE_BUSY_INTERVAL`].
pub const TRACE_MOVE_BUSY_EVENTS: usize = 400;

/// How often the outbox is looked at while much happens: fewer and larger commits of the trace.
pub const TRACE_MOVE_BUSY_INTERVAL: Duration = Duration::from_millis(200);

/// How often the outbox is looked at: short for a person who asks `trace`, long enough to gather a commit.
pub const TRACE_MOVE_INTERVAL: Duration = Duration::from_millis(100);

/// Longest pause after the trace could not be written.
pub const TRACE_MOVE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Most messages in one answer of `trace`.
pub const TRACE_MESSAGES_MAX: u32 = 1_000;

/// Sessions to one next hop (Exchange: 20 connections per domain).
pub const HOP_SESSIONS_MAX: usize = 20;

/// Sessions to a next hop that has just been met: enough to fill two cores, few enough not to frighten it.
pub const HOP_SESSIONS_START: usize = 8;

/// Messages in one session, then a new one: spreads load over the addresses of a next hop.
pub const SESSION_MESSAGES_MAX: u32 = 100;

/// How long a session without work stays open.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(5);

/// A message of at most this many recipients may use the sessions kept for small ones (DESIGN §7).
pub const SMALL_MESSAGE_RECIPIENTS_MAX: u32 = 100;

/// One session in so many to a next hop is kept for small messages, at least one: where a large batch takes long, one
/// alone would let small mail wait for other small mail.
pub const SMALL_MESSAGE_SESSIONS_PART: usize = 4;

/// How long a learned recipient limit of a next hop is believed.
pub const LEARNED_LIMIT_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Mail exchangers tried for one domain.
pub const MX_HOSTS_MAX: usize = 10;

/// Wait for a connection while another address is left to be tried: a family of addresses that leads nowhere costs no
/// more than this.
pub const CONNECT_BESIDE_OTHERS_MAX: Duration = Duration::from_secs(5);

/// Addresses tried in one attempt to reach a next hop.
pub const HOST_ADDRESSES_MAX: usize = 10;

/// Octets of rosters and contents that delivery keeps in memory for sets that wait; above it they are
/// read from the store when their turn comes.
pub const DELIVERY_LOADED_OCTETS_MAX: usize = 48 * 1024 * 1024;

/// Most messages in the spool; beyond it 451 (DESIGN §7). One costs about 150 octets of memory.
pub const QUEUE_MESSAGES_MAX: usize = 1_000_000;

/// Free space below which no mail is taken (452), in octets: outcomes of delivery must still find room.
pub const DISK_FLOOR_BYTES: u64 = 512 * 1024 * 1024;

/// Free space above the floor at which mail is taken again, in octets: keeps the answer from flapping.
pub const DISK_RESUME_BYTES: u64 = 128 * 1024 * 1024;

/// How old a reading of the free space may be.
pub const DISK_READING_AGE_MAX: Duration = Duration::from_millis(200);

/// Operations that wait for the committer; beyond it new mail gets 451.
pub const COMMIT_QUEUE_MAX: usize = 16_384;

/// Octets of content that wait for the committer; beyond it new mail gets 451.
pub const COMMIT_QUEUE_OCTETS_MAX: usize = 256 * 1024 * 1024;

/// Operations in one group commit: bounds the wait of the first of them.
pub const COMMIT_OPERATIONS_MAX: usize = 4_096;

/// Octets of content in one group commit: bounds the wait of the first of them.
pub const COMMIT_OCTETS_MAX: usize = 32 * 1024 * 1024;

/// Size of a segment file in octets.
pub const SEGMENT_OCTETS: u64 = 64 * 1024 * 1024;

/// Segments without live bodies that are kept to be written over.
pub const SEGMENT_SPARES_MAX: usize = 4;

/// Octets written to the write-ahead log (estimated) before a checkpoint empties it.
pub const WAL_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Size of a file of the journal in octets.
pub const JOURNAL_FILE_OCTETS: u64 = 16 * 1024 * 1024;

/// Files of the journal in use from which on the oldest is emptied into the database.
pub const JOURNAL_FILES_MAX: usize = 4;

/// Files of the journal that are kept to be written over.
pub const JOURNAL_SPARES_MAX: usize = 4;

/// An operation with more octets than this (a roster of ten thousand) goes to the database.
pub const JOURNAL_ENTRY_OCTETS_MAX: usize = 256 * 1024;

/// Octets of operations in one frame of the journal.
pub const JOURNAL_FRAME_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// How long mail is in the journal and in memory only before it is moved, as fast as that goes; most is gone before.
pub const JOURNAL_AGE_MAX: Duration = Duration::from_secs(2);

/// How often what is older than [`JOURNAL_AGE_MAX`] is looked for.
pub const JOURNAL_MOVE_INTERVAL: Duration = Duration::from_millis(250);

/// Octets of mail in the journal that are kept in memory; beyond it the oldest is moved to the database.
pub const JOURNAL_MEMORY_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Octets of mail in the journal above which commits wait until enough was moved; above twice as many, which a database
/// without room makes possible, new mail gets 451.
pub const JOURNAL_MEMORY_OCTETS_URGENT: usize = 2 * JOURNAL_MEMORY_OCTETS_MAX;

/// Octets of mail in the journal above which new mail gets 451.
pub const JOURNAL_MEMORY_OCTETS_BOUND: usize = 2 * JOURNAL_MEMORY_OCTETS_URGENT;

/// Messages moved from the journal to the database in one transaction, together with others of a frame:
/// bounds the wait of a commit behind it.
pub const JOURNAL_MOVE_MESSAGES_MAX: usize = 500;

/// Events that wait to be moved from the spool to the trace; beyond it new mail gets 451.
pub const OUTBOX_EVENTS_MAX: u64 = 4_000_000;

/// Events of the outbox that stay in memory as well, so that the trace writer need not read them.
pub const OUTBOX_RECENT_EVENTS_MAX: usize = 16_384;

/// Octets of them, as lines and with the rosters of their sets: an event may name a thousand recipients.
pub const OUTBOX_RECENT_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Events in one row of the outbox.
pub const OUTBOX_ROW_EVENTS_MAX: usize = 1_000;

/// Rosters up to this many octets are checked when the spool opens; larger ones when they are read.
pub const ROSTER_CHECKED_AT_OPEN_OCTETS_MAX: usize = 64 * 1024;

/// Recipients of one delivery set that the trace indexes one by one; larger rosters are searched.
pub const TRACE_INDEXED_RECIPIENTS_MAX: u32 = 1_000;

/// Members from which on replies to all are counted (Exchange Online: 2,500, may be set from 1,000 to 5,000).
pub const STORM_MEMBERS: u64 = 2_500;

/// Replies to all on one thread that bring the brake on (Exchange Online: 10).
pub const STORM_REPLIES: u32 = 10;

/// How long replies to all are counted together (Exchange Online: 60 minutes).
pub const STORM_WINDOW: Duration = Duration::from_secs(60 * 60);

/// How long the brake stays on (Exchange Online: 6 hours).
pub const STORM_BRAKE: Duration = Duration::from_secs(6 * 60 * 60);

/// Threads to groups that are counted at once; beyond it the quieter ones are forgotten.
pub const STORM_THREADS_MAX: usize = 10_000;

/// Replies that are kept of one thread, and the largest setting of how many bring the brake on.
pub const STORM_REPLIES_KEPT_MAX: usize = 1_000;

/// Messages whose conversation is known, so that a reply to a reply finds its thread.
pub const STORM_ROOTS_MAX: usize = 100_000;
