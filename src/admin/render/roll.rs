//! `group diff|history|refresh|verify|stale`: lists, their past, and who a message does not reach.

use super::Reader;
use super::text::{clean, count, number, table, time};
use crate::admin::answer::{
    CauseShown, EntryChange, RollDiff, RollHistory, RollRefreshed, RollsRefreshed, RollsVerified, StaleMember,
};

/// Who joined and who left between two times.
pub(super) fn diff(diff: &RollDiff, reader: &Reader) -> String {
    let version = |version: Option<u64>, entries: u64| match version {
        Some(version) => format!("v{version} ({})", number(entries)),
        None => "no list".to_owned(),
    };
    let mut out = format!(
        "{}: {} at {}, {} at {}\n",
        clean(&diff.group),
        version(diff.from_version, diff.from_entries),
        time(diff.from, reader),
        version(diff.to_version, diff.to_entries),
        time(diff.to, reader)
    );
    if diff.changes.is_empty() {
        out.push_str("nobody joined or left\n");
    } else {
        out.push_str(&changes(&diff.changes, reader));
    }
    if !diff.passing.is_empty() {
        let passing = count(diff.passing.len() as u64, "change", "changes");
        out.push_str(&format!("in between and undone again, {passing}:\n"));
        out.push_str(&changes(&diff.passing, reader));
    }
    for note in &diff.notes {
        out.push_str(&format!("note: {}\n", clean(note)));
    }
    out
}

fn changes(changes: &[EntryChange], reader: &Reader) -> String {
    let width = changes
        .iter()
        .map(|change| clean(&change.address).chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for change in changes {
        let mark = if change.change == "joined" { '+' } else { '-' };
        let address = clean(&change.address);
        let origin = origin(change.source.as_deref(), change.by.as_deref());
        out.push_str(&format!(
            "{mark} {address:width$}  {}  {}{origin}\n",
            time(change.at, reader),
            clean(&change.cause)
        ));
    }
    out
}

/// ` (HR)`, ` (by eva)`, ` (HR, by eva)`.
pub(super) fn origin(source: Option<&str>, by: Option<&str>) -> String {
    let words: Vec<String> = source
        .map(clean)
        .into_iter()
        .chain(by.map(|by| format!("by {}", clean(by))))
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", words.join(", "))
    }
}

/// Versions, newest first.
pub(super) fn history(history: &RollHistory, reader: &Reader) -> String {
    if history.versions.is_empty() {
        return format!("{}: no list yet\n", clean(&history.group));
    }
    let mut out = String::new();
    for version in &history.versions {
        out.push_str(&format!(
            "v{}  {}  {}  +{} -{}  {}, generation {}\n",
            version.version,
            time(version.at, reader),
            count(version.entries, "entry", "entries"),
            number(version.joined),
            number(version.left),
            clean(&version.cause),
            number(version.generation)
        ));
        for detail in &version.details {
            cause(&mut out, detail, "    ", reader);
        }
    }
    if history.more {
        out.push_str("older versions: --limit\n");
    }
    out
}

/// A cause with those it concerns: `Office changed from "Berlin" to "BER" for 402 by svc-hr at …`.
pub(super) fn cause(out: &mut String, cause: &CauseShown, indent: &str, reader: &Reader) {
    let at = cause
        .at
        .map_or_else(String::new, |at| format!(" at {}", time(at, reader)));
    let who = match (cause.joined, cause.left) {
        (0, left) => format!("-{}", number(left)),
        (joined, 0) => format!("+{}", number(joined)),
        (joined, left) => format!("+{} -{}", number(joined), number(left)),
    };
    out.push_str(&format!(
        "{indent}{who}  {}{}{at}\n",
        clean(&cause.text),
        origin(cause.source.as_deref(), cause.by.as_deref())
    ));
    if !cause.names.is_empty() {
        let more = (cause.joined + cause.left).saturating_sub(cause.names.len() as u64);
        let more = if more > 0 {
            format!(" and {} more", number(more))
        } else {
            String::new()
        };
        out.push_str(&format!("{indent}  {}{more}\n", clean(&cause.names.join(", "))));
    }
}

/// Lists computed again.
pub(super) fn refreshed(refreshed: &RollsRefreshed) -> String {
    let lists = count(refreshed.lists, "list", "lists");
    if !refreshed.done {
        return format!("would compute {lists} again; add --yes to do it\n");
    }
    let mut out = format!("computed again: {lists}, {} changed\n", number(refreshed.changed));
    differing(&mut out, &refreshed.groups);
    out
}

/// Lists compared with a computation from scratch.
pub(super) fn verified(verified: &RollsVerified) -> String {
    let lists = count(verified.lists, "list", "lists");
    if verified.differences.is_empty() {
        return format!("verified: {lists}, no difference\n");
    }
    let mut out = format!(
        "verified: {lists}; {} differed and were repaired\n",
        number(verified.differences.len() as u64)
    );
    differing(&mut out, &verified.differences);
    out
}

fn differing(out: &mut String, groups: &[RollRefreshed]) {
    for group in groups {
        let held = if group.held { ", held by the guard" } else { "" };
        let text = match &group.fault {
            Some(fault) => format!("cannot be computed: {}", clean(fault)),
            None => format!("+{} -{}{held}", number(group.joined), number(group.left)),
        };
        out.push_str(&format!("  {}: {text}\n", clean(&group.group)));
    }
}

/// Members that a message does not reach.
pub(super) fn stale(members: &[StaleMember]) -> String {
    if members.is_empty() {
        return "no stale members\n".to_owned();
    }
    let rows = members.iter().map(|member| {
        vec![
            member.group.clone(),
            member.recipient.clone(),
            member.state.clone(),
            if member.left_out { "left out" } else { "delivered" }.to_owned(),
            member.text.clone(),
        ]
    });
    table(&["group", "member", "state", "messages", "why"], rows.collect(), &[])
}
