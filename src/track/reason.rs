//! Why: one stable code per fact. An administrator greps for them in five years.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why something was refused, held, dropped, deferred or routed as it was.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Reason {
            /// Every reason, for documents and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code, as in logs and JSON.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// One plain sentence for the operator.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    // Addresses
    /// No object has the address.
    RecipientUnknown = "recipient-unknown", "no recipient object has this address";
    /// Two objects have the address (RESOLVER.ADR.Ambiguous).
    RecipientAmbiguous = "recipient-ambiguous", "more than one recipient object has this address";
    /// The object cannot be delivered to: it lacks a usable address.
    RecipientInvalid = "recipient-invalid", "the recipient object has no usable address";
    /// Not one of our domains, and the client may not relay.
    RelayDenied = "relay-denied", "the domain is not accepted here and the client may not relay";
    /// `%`, `!`, quoted `@`: would route again.
    RoutesAgain = "routes-again", "the local-part would route again at the next hop";
    /// An internal relay domain's other side sent it here for an address that we do not know either.
    UnknownOnBothSides = "unknown-on-both-sides", "neither this directory nor the system that shares the domain knows the address";
    /// A content filter refuses it.
    ContentRejected = "content-rejected", "a content filter refused the message";
    /// A content filter puts it off, or gave no answer.
    ContentDeferred = "content-deferred", "a content filter put the message off, or gave no answer";
    /// A content filter had it discarded.
    ContentDiscarded = "content-discarded", "a content filter had the message discarded";
    /// An operator leaves the next hop alone.
    NextHopSuspended = "next-hop-suspended", "an operator has suspended the next hop";
    /// An operator sent it to another next hop than routing would.
    ReroutedByOperator = "rerouted-by-operator", "an operator sent it to another next hop";
    /// It was handed to the other side of a shared namespace before, and came back.
    NamespaceLoop = "namespace-loop", "the message was handed to the system that shares the domain before, and came back for an unknown address";
    /// The directory has not been loaded yet, or its owning source is too old to say no.
    DirectoryNotReady = "directory-not-ready", "the directory cannot answer yet";
    // Restrictions (exchange-semantics.md §3)
    /// RequireSenderAuthenticationEnabled and the sender is not proven internal.
    SenderNotAuthenticated = "sender-not-authenticated", "only internal senders may write here and the sender is not proven internal";
    /// In RejectMessagesFrom…
    SenderRejected = "sender-rejected", "the sender is in the reject list";
    /// AcceptMessagesOnlyFrom… is not empty and the sender is not in it.
    SenderNotAccepted = "sender-not-accepted", "the sender is not in the accept list";
    /// AllowOnlyMembersToPost of a Microsoft 365 group, and the sender is none.
    SenderNotMember = "sender-not-member", "only members may write to the group and the sender is none";
    /// BccBlocked, and neither To nor Cc names the addressed group.
    AddressedInBcc = "addressed-in-bcc", "the group takes no mail in Bcc, and neither To nor Cc names it";
    /// policy.large_group: large, neither restricted nor moderated.
    LargeGroupOpen = "large-group-open", "the group is large and anybody may write to it";
    /// Claims one of our domains without proof.
    SenderSpoofed = "sender-spoofed", "the reverse-path claims an accepted domain without proof";
    /// The reverse-path's domain reads like one of ours.
    SenderLooksAlike = "sender-looks-alike", "the reverse-path's domain looks like an accepted domain and is none";
    /// No From field.
    AuthorMissing = "author-missing", "the message has no From field";
    /// More than one From field.
    AuthorFieldTwice = "author-field-twice", "the message has more than one From field";
    /// From names a group.
    AuthorIsGroup = "author-is-group", "From names a group instead of mailboxes";
    /// An encoded-word where From should have an address.
    AuthorEncoded = "author-encoded", "From has an encoded-word where an address belongs";
    /// From cannot be read without a guess.
    AuthorMalformed = "author-malformed", "From is no list of mailboxes";
    /// An internal sender writes in a name that did not permit him.
    AuthorNotPermitted = "author-not-permitted", "the sender may not write in the name of the author";
    /// An account sends as an address that is not its own and that it was not given.
    LoginNotPermitted = "login-not-permitted", "the account may not send as this reverse-path";
    /// From claims one of our domains without proof.
    AuthorForged = "author-forged", "From claims an accepted domain without proof";
    /// The author's domain reads like one of ours.
    AuthorLooksAlike = "author-looks-alike", "the author's domain looks like an accepted domain and is none";
    /// A signature or record that might prove the sender internal could not be looked up.
    ProofUnavailable = "proof-unavailable", "what might prove the sender internal could not be checked for now";
    /// Goes with others only if it is known who sends, and that is in the message.
    DecidedByMessage = "decided-by-message", "the message itself decides about this recipient, so it is taken alone";
    /// MaxReceiveSize of the recipient.
    TooLargeForRecipient = "too-large-for-recipient", "the message is larger than this recipient takes";
    /// A list names a group or filter that cannot be evaluated now.
    ListNotReady = "list-not-ready", "a stored list that the decision needs is not available";
    // Moderation
    /// Held for the group's moderators.
    Moderated = "moderated", "held until a moderator decides";
    /// A moderator refused it.
    ModerationRejected = "moderation-rejected", "a moderator refused the message";
    /// Nobody decided in time.
    ModerationExpired = "moderation-expired", "no moderator decided in time";
    /// A moderated group with nobody who could decide.
    NoModerator = "no-moderator", "the group is moderated and has neither moderators nor owners";
    /// Too many replies to all on one thread to a large group.
    ThreadBraked = "thread-braked", "too many replies to all came on this thread, and the group takes no more of them for now";
    /// An automatic reply or report to an answer address.
    AutomaticAnswer = "automatic-answer", "an automatic reply or report decides nothing";
    // Expansion
    /// Computed and empty.
    GroupEmpty = "group-empty", "the group has no members";
    /// Never computed, or its filter cannot be evaluated.
    RollMissing = "roll-missing", "the stored list has not been computed yet";
    /// on_stale = defer.
    RollStaleDefer = "roll-stale-defer", "the stored list is older than allowed; the message waits";
    /// on_stale = refuse.
    RollStaleRefuse = "roll-stale-refuse", "the stored list is older than allowed; the message is refused";
    /// Group met twice on the way: harmless.
    AlreadyExpanded = "already-expanded", "the group was already expanded for this message";
    /// Same person or same final address: one copy.
    Duplicate = "duplicate", "the person already gets this message by an earlier path";
    /// A member that no longer exists.
    MemberDeleted = "member-deleted", "the member no longer exists";
    /// disabled_accounts = drop.
    MemberDisabled = "member-disabled", "the member's account is disabled";
    /// suppress_suspects_after, or an operator: the next hop refuses the address again and again.
    MemberSuspect = "member-suspect", "the next hop refuses the member's address again and again";
    /// EchoGroupMessageBackToSubscribedSender is off.
    SenderNotEchoed = "sender-not-echoed", "the subscriber sent the message himself and wants no copy of his own";
    /// A member entry that names nobody.
    MemberUnresolved = "member-unresolved", "the member entry names no recipient object";
    /// A nested group that is gone.
    GroupVanished = "group-vanished", "the nested group no longer exists";
    /// Report sent to a group (exchange-semantics.md §3.7).
    ReportToGroup = "report-to-group", "a report or automatic reply is not expanded by a group";
    /// Forward-only cycle (broken loop).
    ForwardingLoop = "forwarding-loop", "forwarding leads back to where it began";
    /// Nesting or forwarding deeper than the limit.
    TooDeep = "too-deep", "groups are nested deeper than the limit";
    /// More recipients than one message may reach.
    TooManyRecipients = "too-many-recipients", "the message would reach more recipients than allowed";
    /// Owner is missing where report-to-owner needs one.
    OwnerMissing = "owner-missing", "reports go to the owner and the group has none";
    // Reports that come back
    /// A return path that was not made here, or too long ago.
    ReturnPathUnknown = "return-path-unknown", "the return path was not made here, or it has expired";
    /// Something other than a report to a return path.
    ReturnPathMisused = "return-path-misused", "a return path takes reports only: their reverse-path is null";
    /// Another system reports that a recipient was not reached.
    ReportedUndeliverable = "reported-undeliverable", "the next system took the message and reported later that it could not be delivered";
    /// A report that was read and goes no further.
    ReportRead = "report-read", "the report came to a return path and was read";
    /// An automatic reply that the group keeps from the sender.
    AutoReplySuppressed = "auto-reply-suppressed", "automatic replies to mail through this group do not go to the sender";
    // Loops
    /// Received fields over the limit.
    HopLimit = "hop-limit", "too many Received fields: a mail loop";
    /// Our keyed loop field names this group.
    GroupLoop = "group-loop", "the message has already been through this group";
    // Clients
    /// proxy_from: the connection of a proxy that does not say whose it is.
    ProxyHeaderMalformed = "proxy-header-malformed", "the proxy's connection does not begin with a readable PROXY header";
    /// sessions_max and its kin.
    TooManySessions = "too-many-sessions", "the listener, the client or its network has as many sessions open as allowed";
    /// rates: connections.
    ConnectionRate = "connection-rate", "the client or its network opens connections faster than allowed";
    /// rates: messages.
    MessageRate = "message-rate", "the client or its network sends messages faster than allowed";
    /// rates: recipients.
    RecipientRate = "recipient-rate", "the client or its network names recipients faster than allowed";
    /// greeting_delay: said something before it was greeted.
    SpokeBeforeGreeting = "spoke-before-greeting", "the client spoke before it was greeted, as no mail server does";
    /// dnsbl: a list of the settings names the client.
    ClientListed = "client-listed", "a list that the listener asks names the client's address";
    /// reverse_dns: no name.
    ReverseNameMissing = "reverse-name-missing", "DNS has no name for the client's address";
    /// reverse_dns = confirmed: a name that does not lead back.
    ReverseNameUnconfirmed = "reverse-name-unconfirmed", "the names that DNS has for the client's address do not lead back to it";
    /// helo: neither a qualified name nor an address.
    HelloUnqualified = "hello-unqualified", "the client's EHLO gives neither a qualified domain name nor an address";
    /// helo = resolves: a name that DNS does not know.
    HelloUnresolvable = "hello-unresolvable", "the client's EHLO gives a name that does not exist in DNS";
    // Content
    /// Bare CR or LF, NUL in content.
    BareLineEnd = "bare-line-end", "the content holds a bare CR or LF, or a NUL";
    /// Larger than the listener takes.
    TooLargeForSystem = "too-large-for-system", "the message is larger than this system takes";
    /// Header section over its limit.
    HeaderTooLarge = "header-too-large", "the header section is larger than allowed";
    // Delivery
    /// The next hop refused for now.
    NextHopDeferred = "next-hop-deferred", "the next hop refused for now";
    /// The next hop refused for good.
    NextHopRefused = "next-hop-refused", "the next hop refused for good";
    /// Could not connect, or the connection broke.
    NextHopUnreachable = "next-hop-unreachable", "the next hop could not be reached";
    /// TLS is required and the next hop does not offer it.
    TlsUnavailable = "tls-unavailable", "TLS is required and the next hop does not offer it";
    /// A TLS handshake went wrong.
    TlsFailed = "tls-failed", "no TLS session could be made with the next hop";
    /// The next hop's certificate is not the one that is wanted.
    TlsUnverified = "tls-unverified", "the next hop's certificate is not the one that the settings want";
    /// The domain's MTA-STS policy does not allow its mail exchangers.
    MtaStsFailed = "mta-sts-failed", "the domain's MTA-STS policy does not name its mail exchanger";
    /// The next hop does not take our credentials.
    SignInRefused = "sign-in-refused", "the next hop does not take our user name and secret";
    /// Signing in could not be tried, or went wrong on the way.
    SignInUnavailable = "sign-in-unavailable", "the next hop offers no way of signing in that the settings allow";
    /// No token could be fetched.
    TokenUnavailable = "token-unavailable", "the issuer gave no token to sign in with";
    /// DNS gave no usable answer for now.
    DnsFailed = "dns-failed", "the domain could not be looked up for now";
    /// DNS says the domain takes no mail (RFC 7505) or does not exist.
    DomainTakesNoMail = "domain-takes-no-mail", "the domain does not exist or takes no mail";
    /// The next hop lacks SMTPUTF8 and an address or header needs it.
    SmtpUtf8Missing = "smtputf8-missing", "the next hop does not support internationalised addresses";
    /// The next hop lacks 8BITMIME and the content needs it (RFC 6152).
    EightBitMimeMissing = "8bitmime-missing", "the next hop does not support 8-bit content, and content is never converted";
    /// REQUIRETLS, and the next hop does not offer it or nothing proves whom it is (RFC 8689).
    RequireTlsMissing = "requiretls-missing", "the message requires verified TLS all the way, and the next hop does not offer it";
    /// Larger than the next hop's SIZE.
    TooLargeForNextHop = "too-large-for-next-hop", "the message is larger than the next hop takes";
    /// A next hop asks for signatures and none can be made now.
    SigningFailed = "signing-failed", "the next hop's copies are signed and no signature could be made";
    /// No next hop is configured for the recipient.
    NoRoute = "no-route", "no next hop is set for this recipient";
    /// In the queue longer than allowed.
    Expired = "expired", "the message could not be delivered in time";
    /// An operator dropped it.
    DroppedByOperator = "dropped-by-operator", "an operator dropped it from the queue";
    /// An operator's stop holds it back.
    StoppedByOperator = "stopped-by-operator", "an operator has stopped the message, its group or its thread for now";
    // The service
    /// Disk floor.
    DiskLow = "disk-low", "free space is below the floor";
    /// Queue bound.
    QueueFull = "queue-full", "the queue is at its bound";
    /// A sync failed: nothing is promised until a restart.
    StoreSuspect = "store-suspect", "the store failed to sync and is not trusted until a restart";
    /// Shutting down.
    ShuttingDown = "shutting-down", "the service is stopping";
    /// An invariant broke.
    Broken = "broken", "an internal invariant broke";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
