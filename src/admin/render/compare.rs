//! `compare` and `group cutover` as text.

use super::Reader;
use super::text::{clean, count, number, time};
use crate::admin::answer::{Compared, ComparedGroup, ComparedPerson, CutOver};

/// Most people of one group and side that are named; `--json` has all.
const PEOPLE_MAX: usize = 10;

/// A table of groups, under each the people who differ.
pub(super) fn compared(compared: &Compared, reader: &Reader) -> String {
    let mut out = String::new();
    let width = compared.groups.iter().map(|group| group.group.chars().count()).max();
    let width = width.unwrap_or(0).max("group".len());
    if !compared.groups.is_empty() {
        out.push_str(&format!(
            "{:width$}  messages   same   only exchange   only muster\n",
            "group"
        ));
    }
    for group in &compared.groups {
        line(&mut out, group, width);
        let people = group.only_exchange.iter().chain(&group.only_muster);
        let longest = people.map(|person| person.address.chars().count()).max().unwrap_or(0);
        side(&mut out, &group.only_exchange, "only exchange", longest, reader);
        side(&mut out, &group.only_muster, "only muster", longest, reader);
        if group.by_later_list > 0 {
            let messages = count(group.by_later_list, "message", "messages");
            out.push_str(&format!(
                "  {messages} compared with a later list: that of their time is not kept\n"
            ));
        }
    }
    let differing = compared.groups.iter().filter(|group| !group.agrees).count() as u64;
    let agreeing = compared.groups.len() as u64 - differing;
    out.push_str(&format!(
        "{} in {}: {} the same, {} {}\n",
        count(compared.groups.len() as u64, "group", "groups"),
        count(compared.files, "file", "files"),
        number(agreeing),
        number(differing),
        if differing == 1 { "differs" } else { "differ" },
    ));
    for fault in &compared.faults {
        out.push_str(&format!("not read  {}\n", clean(fault)));
    }
    let more = compared.faults_count.saturating_sub(compared.faults.len() as u64);
    if more > 0 {
        out.push_str(&format!("not read  {} more\n", count(more, "line", "lines")));
    }
    out
}

fn line(out: &mut String, group: &ComparedGroup, width: usize) {
    let people = |list: &[ComparedPerson]| match list.len() as u64 {
        0 => "0".to_owned(),
        some => count(some, "person", "people"),
    };
    let name = clean(&group.group);
    if !group.known {
        let messages = number(group.messages);
        out.push_str(&format!("{name:width$}  {messages:>8}      -   not a group here\n"));
        return;
    }
    out.push_str(&format!(
        "{name:width$}  {:>8}   {:>4}   {:>13}   {:>11}{}\n",
        number(group.messages),
        number(group.same),
        people(&group.only_exchange),
        people(&group.only_muster),
        if group.cut_over { "   cut over" } else { "" },
    ));
}

fn side(out: &mut String, people: &[ComparedPerson], name: &str, width: usize, reader: &Reader) {
    for person in people.iter().take(PEOPLE_MAX) {
        out.push_str(&format!(
            "  {:width$}   {name:13}   {}\n",
            clean(&person.address),
            cause(person, reader)
        ));
    }
    let more = people.len().saturating_sub(PEOPLE_MAX) as u64;
    if more > 0 {
        out.push_str(&format!("  {} more {name}\n", count(more, "person", "people")));
    }
}

/// `Department was "Sales " (blank at the end) until 2026-11-03T01:00:00+01:00 (hr)`.
fn cause(person: &ComparedPerson, reader: &Reader) -> String {
    let text = person.text.as_deref().unwrap_or(&person.cause);
    let source = person
        .source
        .as_ref()
        .map_or_else(String::new, |source| format!(" ({})", clean(source)));
    let through = person
        .through
        .as_ref()
        .map_or_else(String::new, |group| format!(" through {}", clean(group)));
    let Some(attribute) = &person.attribute else {
        let at = person
            .at
            .map_or_else(String::new, |at| format!(" at {}", time(at, reader)));
        return format!("{}{at}{source}{through}", clean(text));
    };
    match person.at {
        // What came after the message: the value until then is the one that counted.
        Some(at) if at > person.last => {
            format!(
                "{attribute} was {} until {}{source}{through}",
                value(person.before.as_deref()),
                time(at, reader)
            )
        }
        Some(at) => {
            format!(
                "{attribute} is {} since {}{source}{through}",
                value(person.after.as_deref()),
                time(at, reader)
            )
        }
        None => format!(
            "{attribute} is {}, the rule asks for {} ({}){through}",
            quoted(person.before.as_deref()),
            quoted(person.after.as_deref()),
            clean(text)
        ),
    }
}

fn quoted(value: Option<&str>) -> String {
    value.map_or_else(|| "absent".to_owned(), |text| format!("\"{}\"", clean(text)))
}

/// A value with what one does not see in it.
fn value(value: Option<&str>) -> String {
    let oddity = match value {
        Some(text) if text.ends_with(char::is_whitespace) => " (blank at the end)",
        Some(text) if text.starts_with(char::is_whitespace) => " (blank at the beginning)",
        Some(_) | None => "",
    };
    format!("{}{oddity}", quoted(value))
}

/// Which service expands the group now.
pub(super) fn cut_over(done: &CutOver, reader: &Reader) -> String {
    let group = clean(&done.group);
    let by = clean(&done.by);
    let mut out = match (done.expanded.as_str(), done.changed) {
        ("here", true) => format!("{group} is expanded here from now on, by {by}\n"),
        ("here", false) => format!("{group} is expanded here already\n"),
        (_, true) => format!("{group} is expanded by the service before again, by {by}\n"),
        (_, false) => format!("{group} is expanded by the service before already\n"),
    };
    match &done.side_by_side {
        Some(hop) if done.expanded != "here" => out.push_str(&format!("  next hop {}\n", clean(hop))),
        Some(_) => {}
        None => out.push_str("  the settings name no routing.side_by_side: every group is expanded here\n"),
    }
    match done.compared_at {
        Some(at) if done.unexplained > 0 => out.push_str(&format!(
            "  {} without a cause in the comparison of {}\n",
            count(done.unexplained, "person", "people"),
            time(at, reader)
        )),
        Some(at) => out.push_str(&format!("  compared {}: nothing unexplained\n", time(at, reader))),
        None => out.push_str("  never compared: no log that was compared has a message to it\n"),
    }
    out
}
