//! MaxReceiveSize of the recipient.

use super::Refusal;
use super::explanation::Fact;
use crate::directory::RecipientObject;
use crate::track::Reason;

/// Refuses a message larger than the recipient takes; a size not yet known passes and is judged later.
pub(super) fn judge(object: &RecipientObject, size_bytes: Option<u64>, facts: &mut Vec<Fact>) -> Result<(), Refusal> {
    let limit = object.delivery.as_ref().and_then(|delivery| delivery.max_receive_size);
    let Some(limit_bytes) = limit else { return Ok(()) };
    match size_bytes {
        None => facts.push(Fact::SizeUnknown { limit_bytes }),
        Some(size) if size <= limit_bytes => facts.push(Fact::SizeWithin { limit_bytes }),
        Some(_) => {
            facts.push(Fact::SizeOver { limit_bytes });
            return Err(Refusal::of(Reason::TooLargeForRecipient, Some(object.kind)));
        }
    }
    Ok(())
}
