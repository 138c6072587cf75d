//! `send`: a message on trial, by the code of delivery.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::explain;
use crate::admin::answer::SendTested;
use crate::admin::command::SendOrder;
use crate::admin::service::{Caller, Refusal, RefusalKind};
use crate::app::service::Service;
use crate::categorizer::pass::Candidate;
use crate::mail::{Mailbox, ReversePath};
use crate::resolver::{Relaying, Sender};
use crate::spool::content::Content;

/// Says what would become of a message, and sends it to one person if that is asked.
pub(super) async fn send(service: &Arc<Service>, caller: &Caller, order: &SendOrder) -> Result<SendTested, Refusal> {
    let content = order.message.as_deref().map(content).transpose()?;
    let (this, asked, whole) = (Arc::clone(service), order.clone(), content.clone());
    let explained = tokio::task::spawn_blocking(move || {
        let mut question = asked.question;
        if let Some(content) = &whole {
            question.size_bytes = question.size_bytes.or(Some(content.len()));
        }
        explain::explain_message(&this.categorizer, &explain::entrances(&this), &question, whole.as_ref())
    });
    let explained = explained.await;
    let explained = explained.unwrap_or_else(|fault| Err(Refusal::new(RefusalKind::Broken, fault.to_string())))?;
    let mut tested = SendTested {
        explained,
        message: None,
        only: order.only.clone(),
    };
    let (Some(only), Some(content)) = (&order.only, content) else {
        return Ok(tested);
    };
    let usage =
        |text: &str, fault: &dyn std::fmt::Display| Refusal::new(RefusalKind::Usage, format!("`{text}`: {fault}"));
    let only = Mailbox::parse(only).map_err(|fault| usage(only, &fault))?;
    let refused = |refusal: crate::policy::Refusal| {
        Refusal::new(RefusalKind::Guard, format!("the test was not sent: {}", refusal.reply))
    };
    let candidate = candidate(service, order, content)?.map_err(refused)?;
    let id = service
        .categorizer
        .send_trial(candidate, &only)
        .await
        .map_err(refused)?;
    tracing::info!(%caller, message = %id, %only, to = order.question.to, "a test was sent by command");
    tested.message = Some(id);
    Ok(tested)
}

/// The sender counts as proven: whoever may use the socket could use the relay.
fn candidate(
    service: &Service,
    order: &SendOrder,
    content: Content,
) -> Result<Result<Candidate, crate::policy::Refusal>, Refusal> {
    let parse = |text: &str| {
        Mailbox::parse(text).map_err(|fault| Refusal::new(RefusalKind::Usage, format!("`{text}`: {fault}")))
    };
    let to = parse(&order.question.to)?;
    let from = ReversePath::Mailbox(parse(&order.question.from)?);
    let organisation = service.categorizer.organisation();
    let sender = Sender::recorded(&from, Some("test"), &organisation.rules);
    Ok(service.categorizer.trial(&to, content, sender, Relaying::Allowed))
}

fn content(base64: &str) -> Result<Content, Refusal> {
    let octets = BASE64
        .decode(base64)
        .map_err(|fault| Refusal::new(RefusalKind::Usage, format!("the message cannot be read: {fault}")))?;
    Ok(Content::in_memory(octets))
}
