//! `explain`.

use super::moderate;
use super::text::{age, clean, count, number, path};
use crate::admin::answer::{Explained, SeenAs, SendTested, Verdict, VerdictKind};

pub(super) fn explained(explained: &Explained) -> String {
    let mut out = String::new();
    let several = explained.verdicts.len() > 1;
    for verdict in &explained.verdicts {
        if several {
            out.push_str(match verdict.seen_as {
                SeenAs::Stranger => "as a stranger:\n",
                SeenAs::Internal => "as proven internal:\n",
                SeenAs::Client => "as this client:\n",
            });
        }
        let text = one(verdict);
        for line in text.lines() {
            out.push_str(if several { "  " } else { "" });
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

pub(super) fn tested(tested: &SendTested) -> String {
    let mut out = explained(&tested.explained);
    out.push_str(&match (&tested.message, &tested.only) {
        (Some(message), Some(only)) => format!(
            "test sent to {} only; to see it: muster trace --message {message}\n",
            clean(only)
        ),
        _ => "nothing was sent\n".to_owned(),
    });
    out
}

fn one(verdict: &Verdict) -> String {
    let mut out = match verdict.kind {
        VerdictKind::Accepted => accepted(verdict),
        VerdictKind::Held => format!(
            "held for {} ({})\nan approval would reach {} today\n",
            clean(&verdict.moderators.join(", ")),
            moderate::why(verdict.cause.unwrap_or_default()),
            count(verdict.recipients, "recipient", "recipients")
        ),
        VerdictKind::Deferred => turned_away("deferred", verdict),
        VerdictKind::Refused => turned_away("refused", verdict),
    };
    for branch in &verdict.branches {
        let what = match branch.kind {
            VerdictKind::Held => "held",
            VerdictKind::Deferred => "deferred",
            VerdictKind::Refused => "refused",
            VerdictKind::Accepted => "accepted",
        };
        let reply = branch
            .reply
            .as_ref()
            .map_or_else(String::new, |reply| format!(" {reply}"));
        out.push_str(&format!(
            "branch {} > {}: {what}{} ({})\n",
            path(&branch.path),
            clean(&branch.recipient),
            clean(&reply),
            branch.reason.text()
        ));
    }
    for left in &verdict.left_out {
        let group = left
            .group
            .as_ref()
            .map_or_else(String::new, |group| format!(" of {}", clean(group)));
        out.push_str(&format!(
            "left out {}{group}: {}\n",
            clean(&left.recipient),
            left.reason.text()
        ));
    }
    out
}

fn accepted(verdict: &Verdict) -> String {
    let mut out = "accepted".to_owned();
    if let Some(bypass) = &verdict.bypass {
        out.push_str(&format!("; no moderation ({})", clean(bypass)));
    }
    out.push_str(&format!("; sender is {}\n", clean(&verdict.sender_proof)));
    let hops: Vec<String> = verdict
        .next_hops
        .iter()
        .map(|(hop, recipients)| format!("{} {}", number(*recipients), clean(hop)))
        .collect();
    out.push_str(&count(verdict.recipients, "recipient", "recipients"));
    if !hops.is_empty() {
        out.push_str(&format!(": {}", hops.join(", ")));
    }
    if !verdict.left_out.is_empty() {
        out.push_str(&format!("; {} left out", number(verdict.left_out.len() as u64)));
    }
    if let Some(oldest) = verdict.groups.iter().map(|group| group.roll_age_seconds).max() {
        let lists = if verdict.groups.len() == 1 {
            "list age"
        } else {
            "oldest list"
        };
        out.push_str(&format!("; {lists} {}", age(oldest)));
    }
    out.push('\n');
    for route in verdict.routes.iter() {
        let Some(rule) = &route.rule else { continue };
        let urgent = match route.priority.as_str() {
            "normal" => String::new(),
            other => format!(", priority {}", clean(other)),
        };
        out.push_str(&format!(
            "rule {}: {} {}{urgent}\n",
            clean(rule),
            number(route.recipients),
            clean(&route.next_hop)
        ));
    }
    let nested = verdict.groups.len().saturating_sub(1) as u64;
    if nested > 0 || verdict.duplicates > 0 {
        out.push_str(&format!(
            "{}; {} removed\n",
            count(nested, "nested group", "nested groups"),
            count(verdict.duplicates, "duplicate", "duplicates")
        ));
    }
    out
}

fn turned_away(word: &str, verdict: &Verdict) -> String {
    let code = verdict.reply.as_ref().map_or_else(String::new, |reply| {
        let status = reply.status.map_or_else(String::new, |status| format!(" {status}"));
        format!(" {}{status}", reply.code)
    });
    let reason = verdict.reason.map_or_else(String::new, |reason| {
        format!(": {} (rule {})", reason.text(), reason.code())
    });
    let told = verdict.reply.as_ref().map_or_else(String::new, |reply| {
        format!("the client is told: {}\n", clean(&reply.text.replace('\n', " ")))
    });
    format!(
        "{word}{code}{reason}; sender is {}\n{told}",
        clean(&verdict.sender_proof)
    )
}
