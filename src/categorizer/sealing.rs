//! What must be known of a message so that its copies can be sealed (ARC): whether the chain it bears holds.
//!
//! Never: a check of a chain that no next hop will add to, or that is not there.

use std::sync::Arc;

use bytes::Bytes;

use super::Organisation;
use super::identify::Question;
use super::intake::Submission;
use crate::mail::authentication::{Checks, Findings};
use crate::mail::header::HeaderSection;
use crate::mail::signature;
use crate::policy::Rules;

/// The checks, and that of the chain if there is one and somebody will seal.
pub(super) fn with_chain(checks: Checks, section: &Bytes, rules: &Rules) -> Checks {
    let bears_chain = || HeaderSection::parse(section).is_ok_and(|section| signature::is_on(&section));
    Checks {
        arc: checks.arc || (rules.authenticity.seals && bears_chain()),
        ..checks
    }
}

/// Makes checks, if there are any to make.
pub(super) async fn found(
    organisation: &Organisation,
    submission: &Submission,
    checks: Checks,
) -> Option<Arc<Findings>> {
    if checks.is_empty() {
        return None;
    }
    let question = Question {
        checks,
        content: submission.content.clone(),
        original_head: submission.original_head.clone(),
        reverse_path: submission.envelope.reverse_path.clone(),
        client: submission.client.client,
        helo: submission.client.helo.clone(),
    };
    Some(Arc::new(organisation.authenticator.check(question).await))
}
