//! What delivery asks of the rest of the house: reports, and where a recipient is today.

use std::sync::Arc;

use jiff::Timestamp;

use crate::mail::report::TlsReport;
use crate::mail::{Notify, OriginalRecipient, Reply, ReturnContent, ReversePath};
use crate::spool::content::Content;
use crate::spool::message::{Acceptance, StoredMessage};
use crate::track::{Reason, ReportKind};

/// Makes a report (DSN) and decides where it goes: a pass of its own.
pub trait Reporter: Send + Sync + 'static {
    /// The report as a message with the outcome of its pass, to be stored together with the outcomes it speaks of.
    /// None if no report may be made. May block; called on a blocking thread.
    fn report(&self, request: ReportRequest) -> Option<Acceptance>;

    /// A TLS report as a message, with the outcome of its pass. None if nobody is reached. May block; called on a blocking
    /// thread.
    fn tls_report(&self, report: &TlsReport) -> Option<Acceptance>;
}

/// A report to be made.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    /// Which: failed, delayed or relayed.
    pub kind: ReportKind,
    /// To whom; never null.
    pub reverse_path: ReversePath,
    /// The message it is about.
    pub message: Arc<StoredMessage>,
    /// Its content, without [`StoredMessage::prefix`].
    pub content: Content,
    /// `RET=` of the copies.
    pub ret: Option<ReturnContent>,
    /// `ENVID=` of the copies, xtext.
    pub envid: Option<Box<str>>,
    /// Recipients to be named, at most [`crate::limits::REPORT_RECIPIENTS_MAX`].
    pub recipients: Vec<ReportRecipient>,
    /// Recipients beyond those.
    pub counted_more: u64,
    /// When the first of the recipients' sets entered the queue.
    pub queued_at: Timestamp,
    /// Until when delayed recipients are tried.
    pub expires_at: Timestamp,
}

/// A recipient in a report.
#[derive(Clone, PartialEq, Debug)]
pub struct ReportRecipient {
    /// Forward-path in the roster.
    pub final_address: String,
    /// Forward-path as addressed by the sender.
    pub addressed: String,
    /// A group was expanded on the way.
    pub expanded: bool,
    /// Membership may not be shown to the sender: name the addressed group instead.
    pub hidden: bool,
    /// `ORCPT=` of the copy.
    pub original: Option<OriginalRecipient>,
    /// `NOTIFY=` of the copy.
    pub notify: Option<Notify>,
    /// The reply that decided; of a delayed recipient the last one, if a host spoke.
    pub reply: Option<Reply>,
    /// Host that spoke.
    pub remote: Option<String>,
    /// Why it failed or waits; none for success.
    pub reason: Option<Reason>,
    /// When.
    pub at: Timestamp,
}

/// Where a recipient is today (DESIGN §5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurrentRoute {
    /// Today's forward-path.
    pub forward_path: String,
    /// Today's next hop, as [`crate::routing::Routes::label`] names it.
    pub next_hop: String,
}

/// A recipient who waits, and what rules of routing may ask about his message.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// Directory space of the ordinal.
    pub space: &'a str,
    /// His object.
    pub ordinal: u32,
    /// The message.
    pub message: &'a StoredMessage,
    /// Forward-path as addressed by the sender.
    pub addressed: &'a str,
}

/// Tells where recipients are today.
pub trait CurrentRoutes: Send + Sync + 'static {
    /// The route of a directory object now; none if the space is not the current one, or the object is gone or
    /// cannot be delivered to. Then the address in the roster is used.
    fn current(&self, waiting: &Waiting<'_>) -> Option<CurrentRoute>;
}

/// No directory: rosters are used as they are.
#[derive(Clone, Copy, Debug)]
pub struct AsQueued;

impl CurrentRoutes for AsQueued {
    fn current(&self, _: &Waiting<'_>) -> Option<CurrentRoute> {
        None
    }
}
