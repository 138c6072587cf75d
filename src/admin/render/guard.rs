//! `guard …`, `alerts`, `suspects …`, `group pin|unpin|pins`, `group convert|freeze|propose`: decisions of people.

use super::Reader;
use super::roll::{cause, origin};
use super::rule::names;
use super::text::{clean, count, number, table, time};
use crate::admin::answer::{
    Alert, CauseShown, GroupConverted, GuardDecided, GuardHeld, PinChanged, PinShown, RuleProposed, SuspectChanged,
    SuspectShown,
};

/// Lists that are held.
pub(super) fn list(holds: &[GuardHeld], reader: &Reader) -> String {
    if holds.is_empty() {
        return "the guard holds nothing\n".to_owned();
    }
    let mut out = String::new();
    for held in holds {
        head(&mut out, held, reader);
    }
    out
}

fn head(out: &mut String, held: &GuardHeld, reader: &Reader) {
    out.push_str(&format!(
        "{}  held since {}: {}; v{} serves\n",
        clean(&held.group),
        time(held.since, reader),
        clean(&held.text),
        held.serving_version
    ));
    if let Some(by) = &held.rejected_by {
        out.push_str(&format!("  rejected by {}\n", clean(by)));
    }
}

/// One of them.
pub(super) fn show(held: &GuardHeld, reader: &Reader) -> String {
    let mut out = String::new();
    head(&mut out, held, reader);
    out.push_str(&format!(
        "  from {} to {}: +{} -{}\n",
        count(held.serving_entries, "entry", "entries"),
        number(held.proposed_entries),
        number(held.joins),
        number(held.leaves)
    ));
    for each in &held.causes {
        cause(&mut out, each, "  ", reader);
    }
    let group = clean(&held.group);
    out.push_str(&format!(
        "muster guard accept {group} --reason … takes it, muster guard reject {group} keeps the old list\n"
    ));
    out
}

/// A decision about one of them.
pub(super) fn decided(decided: &GuardDecided) -> String {
    format!(
        "{} {} by {}: v{} serves, {}\n",
        clean(&decided.group),
        clean(&decided.decision),
        clean(&decided.by),
        decided.version,
        count(decided.entries, "entry", "entries")
    )
}

/// Everything that waits for an operator.
pub(super) fn alerts(alerts: &[Alert], reader: &Reader) -> String {
    if alerts.is_empty() {
        return "no alerts\n".to_owned();
    }
    let kinds = alerts.iter().map(|alert| alert.kind.len()).max().unwrap_or(0);
    let mut out = String::new();
    for alert in alerts {
        let since = alert
            .since
            .map_or_else(String::new, |at| format!(" since {}", time(at, reader)));
        out.push_str(&format!(
            "{:kinds$}  {}  {}{since}\n",
            alert.kind,
            clean(&alert.subject),
            clean(&alert.text)
        ));
        for cause in &alert.causes {
            out.push_str(&format!("{:kinds$}  cause: {}\n", "", cause_line(cause, reader)));
        }
    }
    out
}

/// `Office changed from "Berlin" to "BER" for 402 people (hr) at …`.
fn cause_line(cause: &CauseShown, reader: &Reader) -> String {
    let who = match (cause.joined + cause.left, cause.names.first()) {
        (1, Some(name)) => clean(name),
        (people, _) => count(people, "person", "people"),
    };
    let at = cause
        .at
        .map_or_else(String::new, |at| format!(" at {}", time(at, reader)));
    let origin = origin(cause.source.as_deref(), cause.by.as_deref());
    format!("{} for {who}{origin}{at}", clean(&cause.text))
}

/// Suspects.
pub(super) fn suspects(suspects: &[SuspectShown], reader: &Reader) -> String {
    if suspects.is_empty() {
        return "no suspects\n".to_owned();
    }
    let rows = suspects.iter().map(|suspect| {
        vec![
            suspect.recipient.clone(),
            number(suspect.refusals),
            time(suspect.last_at, reader),
            if suspect.suppressed { "left out" } else { "delivered" }.to_owned(),
            suspect.reply.clone(),
            suspect.groups.join(", "),
        ]
    });
    let header = ["recipient", "refusals", "last", "messages", "reply", "groups"];
    table(&header, rows.collect(), &[1])
}

/// A decision about one.
pub(super) fn suspect(changed: &SuspectChanged) -> String {
    if changed.applied {
        format!("{} {}\n", clean(&changed.recipient), changed.change)
    } else {
        format!(
            "{} was {} before; nothing changed\n",
            clean(&changed.recipient),
            changed.change
        )
    }
}

/// Pins of a group.
pub(super) fn pins(pins: &[PinShown], reader: &Reader) -> String {
    if pins.is_empty() {
        return "no pins\n".to_owned();
    }
    let rows = pins.iter().map(|pin| {
        vec![
            pin.recipient.clone(),
            pin.effect.clone(),
            pin.until
                .map_or_else(|| "for ever".to_owned(), |until| time(until, reader)),
            pin.by.clone(),
            time(pin.at, reader),
            pin.reason.clone().unwrap_or_default(),
        ]
    });
    table(
        &["recipient", "effect", "until", "by", "since", "reason"],
        rows.collect(),
        &[],
    )
}

/// A pin in one line, as `group why` shows it.
pub(super) fn pin_line(pin: &PinShown, reader: &Reader) -> String {
    let verb = if pin.effect == "exclude" {
        "kept out by a pin of"
    } else {
        "pinned in by"
    };
    let until = pin
        .until
        .map_or_else(String::new, |until| format!(", until {}", time(until, reader)));
    let reason = pin
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {}", clean(reason)));
    format!(
        "{verb} {} since {}{until}, in {}{reason}",
        clean(&pin.by),
        time(pin.at, reader),
        clean(&pin.group)
    )
}

/// A pin was made or ended.
pub(super) fn pinned(changed: &PinChanged, reader: &Reader) -> String {
    let pin = &changed.pin;
    let until = pin
        .until
        .map_or_else(String::new, |until| format!(" until {}", time(until, reader)));
    let verb = match (changed.pinned, pin.effect.as_str()) {
        (true, "exclude") => format!("is kept out of {}{until}", clean(&pin.group)),
        (true, _) => format!("is pinned in {}{until}", clean(&pin.group)),
        (false, _) => format!("is no longer pinned in {}", clean(&pin.group)),
    };
    let effect = if changed.effective {
        ""
    } else {
        "; the list is the same as before"
    };
    format!(
        "{} {verb}, by {}: {}{effect}\n",
        clean(&pin.recipient),
        clean(&pin.by),
        count(changed.entries, "entry", "entries")
    )
}

/// A rule for a static list.
pub(super) fn proposed(proposed: &RuleProposed) -> String {
    let members = count(proposed.members, "member", "members");
    let Some(filter) = &proposed.filter else {
        return format!("{members}. no rule is shorter than the list\n");
    };
    let mut out = format!("{members}. smallest rule: {}\n", clean(filter));
    if let Some(english) = &proposed.english {
        out.push_str(&format!("  reads as: {}\n", clean(english)));
    }
    out.push_str(&format!(
        "  covers {}; would add {}; {} stay as pinned\n",
        number(proposed.covered),
        number(proposed.adds_count),
        number(proposed.pinned_count)
    ));
    names(&mut out, "+ ", &proposed.adds, proposed.adds_count);
    names(&mut out, "pinned ", &proposed.pinned, proposed.pinned_count);
    out
}

/// A group became something else, or would.
pub(super) fn converted(converted: &GroupConverted) -> String {
    let same = converted.joins == 0 && converted.leaves == 0;
    let mut out = if same {
        format!("membership before and after: identical ({})\n", number(converted.after))
    } else {
        format!(
            "membership before {}, after {}: {} join, {} leave\n",
            number(converted.before),
            number(converted.after),
            number(converted.joins),
            number(converted.leaves)
        )
    };
    names(&mut out, "+ ", &converted.joining, converted.joins);
    names(&mut out, "- ", &converted.leaving, converted.leaves);
    let into = match converted.into.as_str() {
        "source" => "what its source says".to_owned(),
        other => other.to_owned(),
    };
    if converted.done {
        out.push_str(&format!("{} is {into} now\n", clean(&converted.group)));
    } else {
        out.push_str(&format!(
            "{} was not changed; --accept-difference takes it all the same\n",
            clean(&converted.group)
        ));
    }
    if let Some(filter) = converted.filter.as_ref().filter(|_| converted.done) {
        out.push_str(&format!("rule: {}\n", clean(filter)));
    }
    if converted.pinned > 0 {
        let members = count(converted.pinned, "member stays", "members stay");
        out.push_str(&format!("{members} as pinned\n"));
    }
    if converted.excluded > 0 {
        let people = count(converted.excluded, "person is", "people are");
        out.push_str(&format!("{people} kept out by a pin\n"));
    }
    out
}
