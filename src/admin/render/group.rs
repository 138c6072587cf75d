//! `group list|show|members|why`.

use super::Reader;
use super::rule::names;
use super::text::{clean, count, number, pairs, path, size, table, time, version};
use crate::admin::answer::{ClauseVerdict, GroupMembers, GroupShown, GroupSummary, GroupWhy, RollState};

pub(super) fn list(groups: &[GroupSummary]) -> String {
    if groups.is_empty() {
        return "no groups\n".to_owned();
    }
    let rows = groups.iter().map(|group| {
        vec![
            group.address.clone(),
            group.kind.clone(),
            number(group.roll.entries),
            roll(&group.roll),
            rules(group),
        ]
    });
    table(&["group", "kind", "entries", "list", "rules"], rows.collect(), &[2])
}

fn roll(state: &RollState) -> String {
    let text = version(state.version, state.age_seconds);
    match state.freshness.as_str() {
        "" | "fresh" | "missing" => text,
        other => format!("{text}, {other}"),
    }
}

fn rules(group: &GroupSummary) -> String {
    let words: Vec<&str> = [(group.internal_only, "internal only"), (group.moderated, "moderated")]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
        .collect();
    words.join(", ")
}

pub(super) fn show(group: &GroupShown, reader: &Reader) -> String {
    let summary = &group.summary;
    let everybody_or = |list: &[String]| {
        if list.is_empty() {
            "everybody".to_owned()
        } else {
            list.join(", ")
        }
    };
    let nested = match group.nested_groups {
        0 => String::new(),
        groups => format!("{}, depth {}", count(groups, "group", "groups"), group.depth),
    };
    let confirmed = summary
        .roll
        .confirmed_at
        .map_or_else(String::new, |at| format!(", confirmed {}", time(at, reader)));
    let mut out = pairs(&[
        ("group", summary.address.clone()),
        ("name", summary.display_name.clone().unwrap_or_default()),
        ("kind", summary.kind.clone()),
        ("also", group.aliases.join(", ")),
        ("source", group.source.clone()),
        (
            "recipients",
            format!("{} (through nested groups, each once)", number(group.recipients)),
        ),
        ("entries", number(summary.roll.entries)),
        ("nested", nested),
        ("member of", group.parents.join(", ")),
        ("list", format!("{}{confirmed}", roll(&summary.roll))),
        ("cause", summary.roll.cause.clone().unwrap_or_default()),
        ("fault", summary.roll.fault.clone().unwrap_or_default()),
        ("filter", group.filter.clone().unwrap_or_default()),
        ("container", group.container.clone().unwrap_or_default()),
        ("rules", rules(summary)),
        ("may write", everybody_or(&group.accept_from)),
        ("may not", group.reject_from.join(", ")),
        ("send as it", group.send_as.join(", ")),
        ("on behalf", group.send_on_behalf.join(", ")),
        ("moderators", group.moderators.join(", ")),
        ("owners", group.owners.join(", ")),
        ("size limit", group.size_bytes_max.map(size).unwrap_or_default()),
        ("reports to", group.reports_to.clone()),
        (
            "membership",
            if group.hidden_membership {
                "hidden".to_owned()
            } else {
                String::new()
            },
        ),
    ]);
    for note in &group.notes {
        out.push_str(&format!("note: {}\n", clean(note)));
    }
    out
}

pub(super) fn members(members: &GroupMembers, reader: &Reader) -> String {
    let at = members
        .at
        .map_or_else(String::new, |at| format!(" at {}", time(at, reader)));
    let mut out = format!(
        "{}: {}{at}, list {}\n",
        clean(&members.group),
        count(members.members.len() as u64, "member", "members"),
        roll(&members.roll)
    );
    if members.members.is_empty() {
        return out;
    }
    let rows = members.members.iter().map(|member| {
        vec![
            member.address.clone(),
            member.display_name.clone().unwrap_or_default(),
            member.kind.clone(),
            member.next_hop.clone().unwrap_or_default(),
            path(&member.path),
            member.left_out.clone().unwrap_or_default(),
        ]
    });
    let header = ["member", "name", "kind", "next hop", "through", "left out"];
    out.push_str(&table(&header, rows.collect(), &[]));
    out
}

pub(super) fn why(why: &GroupWhy, reader: &Reader) -> String {
    let mut out = String::new();
    if why.member {
        out.push_str("member\n");
        for groups in &why.paths {
            out.push_str(&format!("  {} > {}\n", path(groups), clean(&why.recipient)));
        }
    } else {
        out.push_str("not a member\n");
    }
    for pin in &why.pins {
        out.push_str(&format!("  {}\n", super::guard::pin_line(pin, reader)));
    }
    for gate in why.gates.iter().filter(|gate| !gate.holds) {
        out.push_str(&format!("  a member {}: no\n", clean(&gate.gate)));
    }
    let shown = |clause: &ClauseVerdict| {
        let indent = "  ".repeat(usize::try_from(clause.depth).unwrap_or(0));
        format!("{indent}{}", clean(&clause.clause))
    };
    let width = why
        .clauses
        .iter()
        .map(|clause| shown(clause).chars().count())
        .max()
        .unwrap_or(0);
    for clause in &why.clauses {
        let verdict = if clause.holds { "yes" } else { "no " };
        let line = format!(
            "  clause {:width$}  {verdict}  {}",
            shown(clause),
            stored(clause, reader)
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    if let Some(nearest) = &why.nearest {
        let others = match (nearest.others, nearest.other_recipients.is_empty()) {
            (0, _) => String::new(),
            (others, true) => format!(" (and {}: --list)", count(others, "other", "others")),
            (others, false) => format!(" (and {})", count(others, "other", "others")),
        };
        out.push_str(&format!("nearest: {}{others}\n", clean(&nearest.text)));
        names(&mut out, "", &nearest.other_recipients, nearest.others);
    }
    for note in &why.notes {
        out.push_str(&format!("{}\n", clean(note)));
    }
    out.push_str(&format!("list {}\n", roll(&why.roll)));
    out
}

fn stored(clause: &ClauseVerdict, reader: &Reader) -> String {
    let values: Vec<String> = clause
        .stored
        .iter()
        .map(|value| format!("\"{}\"", clean(value)))
        .collect();
    let mut text = match values.as_slice() {
        [] if clause.source.is_some() => "no stored value".to_owned(),
        [] => String::new(),
        [one] => format!("stored value {one}"),
        several => format!("stored values {}", several.join(", ")),
    };
    if let Some(note) = &clause.note {
        text.push_str(&format!(" ({})", clean(note)));
    }
    if let Some(source) = &clause.source {
        text.push_str(&format!(", from {}", clean(source)));
    }
    if let Some(at) = clause.changed_at {
        text.push_str(&format!(", changed {}", time(at, reader)));
    }
    text
}
