//! Delivery's questions, answered by the categoriser and the directory.

use std::sync::Arc;

use crate::categorizer::Categorizer;
use crate::categorizer::report::About;
use crate::connectors::sync::DirectoryKeeper;
use crate::delivery::report::{CurrentRoute, CurrentRoutes, ReportRecipient, ReportRequest, Reporter, Waiting};
use crate::directory::Ordinal;
use crate::expansion::Place;
use crate::mail::Mailbox;
use crate::mail::header::HeaderFacts;
use crate::mail::report::{self as written, TlsReport};
use crate::routing::{self, Routes, Ruling, Side};
use crate::spool::message::{Acceptance, MessageKind, StoredMessage};
use crate::track::ReportKind;

use super::hops::{RuleRows, chosen, location};

/// Reports about deliveries, written and passed by the categoriser.
pub struct DeliveryReports(pub Arc<Categorizer>);

impl Reporter for DeliveryReports {
    fn tls_report(&self, report: &TlsReport) -> Option<Acceptance> {
        self.0.tls_report(report)
    }

    fn report(&self, request: ReportRequest) -> Option<Acceptance> {
        if self.0.is_request(&request.message) {
            // Nobody reads reports to an answer address: they are told to the hold.
            if request.kind == ReportKind::Failed {
                self.0.request_failed(&request.reverse_path);
            }
            return None;
        }
        let action = match request.kind {
            ReportKind::Failed => written::Action::Failed,
            ReportKind::Delayed => written::Action::Delayed,
            ReportKind::Relayed => written::Action::Relayed,
            ReportKind::Expanded => written::Action::Expanded,
            ReportKind::Owner | ReportKind::Moderation | ReportKind::Approval | ReportKind::Tls => return None,
        };
        let head = HeaderFacts::read(&request.content.head).unwrap_or_default();
        let mut envelope = request.message.envelope.clone();
        envelope.ret = request.ret;
        envelope.envid.clone_from(&request.envid);
        let about = About {
            id: request.message.id,
            received_at: request.message.received_at,
            envelope: &envelope,
            content: &request.content,
            head: &head,
        };
        let proved = request.message.arrival.proof.is_some();
        let mut recipients: Vec<written::ReportRecipient> = Vec::new();
        for recipient in &request.recipients {
            let told = told(recipient, action, proved, &request);
            // Members that may not be named stand in one line for their group.
            let same = |known: &written::ReportRecipient| {
                told.disclosure == written::Disclosure::MembersOfGroup
                    && known.disclosure == told.disclosure
                    && known.address == told.address
            };
            if !recipients.iter().any(same) {
                recipients.push(told);
            }
        }
        self.0
            .delivery_report(&about, &request.reverse_path, recipients, request.counted_more)
    }
}

/// A recipient as the sender may see him: an outside or unproved sender, or anybody with hidden membership,
/// sees the group's address (DESIGN §6).
fn told(
    recipient: &ReportRecipient,
    action: written::Action,
    proved: bool,
    request: &ReportRequest,
) -> written::ReportRecipient {
    let members = recipient.expanded && (recipient.hidden || !proved);
    let generic = match action {
        written::Action::Failed => (5, 0, 0),
        written::Action::Delayed => (4, 0, 0),
        written::Action::Relayed | written::Action::Expanded => (2, 0, 0),
    };
    let status = recipient.reply.as_ref().map_or(
        crate::mail::EnhancedStatus::new(generic.0, generic.1, generic.2),
        crate::mail::Reply::status_or_generic,
    );
    written::ReportRecipient {
        address: if members {
            recipient.addressed.clone()
        } else {
            recipient.final_address.clone()
        },
        disclosure: if members {
            written::Disclosure::MembersOfGroup
        } else {
            written::Disclosure::Recipient
        },
        original: recipient.original.clone(),
        action,
        status,
        reply: recipient.reply.clone(),
        remote: recipient.remote.clone(),
        last_attempt_at: Some(recipient.at),
        will_retry_until: (action == written::Action::Delayed).then_some(request.expires_at),
    }
}

/// Where recipients are today, by the current view (DESIGN §5).
pub struct Today {
    /// The directory.
    pub keeper: Arc<DirectoryKeeper>,
    /// The routes.
    pub routes: Arc<arc_swap::ArcSwap<Routes>>,
    /// Rows that rules name.
    pub rows: RuleRows,
}

impl CurrentRoutes for Today {
    fn current(&self, waiting: &Waiting<'_>) -> Option<CurrentRoute> {
        if waiting.space != self.keeper.space() {
            return None;
        }
        let view = self.keeper.view();
        let object = view.object(Ordinal(waiting.ordinal))?;
        let address = object.final_address();
        let routes = self.routes.load_full();
        let live = self.rows.live(&routes, &view.directory, Some(&about(waiting.message)));
        let ruling = if live.is_empty() {
            Ruling::default()
        } else {
            let addressed = Mailbox::parse(waiting.addressed).ok();
            let addressed = addressed.and_then(|mailbox| view.directory.lookup(&mailbox.key()).one());
            let class = live.class(addressed.map(|ordinal| ordinal.0), Some(waiting.ordinal));
            live.ruling(class, Some(location(object.location)), address.domain())
        };
        let place = Place::from(&*object);
        let hop = chosen(&routes, &ruling, Some(place), address.domain()).ok()?;
        Some(CurrentRoute {
            forward_path: address.to_string(),
            next_hop: routes
                .label(hop, address.domain(), waiting.message.envelope.tls())
                .into_owned(),
        })
    }
}

/// What rules may ask of a message that was kept: the same that its pass knew.
fn about(message: &StoredMessage) -> routing::About<'_> {
    let own = matches!(message.kind, MessageKind::Report { .. });
    let proven = message.arrival.proof.is_some() && !message.envelope.reverse_path.is_null();
    routing::About {
        side: if own || proven { Side::Internal } else { Side::External },
        reverse_path: &message.envelope.reverse_path,
        size_bytes: Some(message.size_bytes.saturating_sub(message.prefix.len() as u64)),
        listener: Some(&message.arrival.listener),
        recipients: &message.envelope.recipients,
        tls: message.envelope.tls(),
    }
}
