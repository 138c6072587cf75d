//! The exact lines a newcomer tries first, when next hops are directories.

use std::path::PathBuf;

use super::commands::explain;
use super::service::{BoundListener, Service};
use crate::admin::answer::{SeenAs, VerdictKind};
use crate::admin::command::ExplainQuestion;
use crate::categorizer::intake::ListenerRole;
use crate::directory::{Found, RecipientObject};
use crate::policy::authentication;
use crate::rolls::View;

/// People asked for until one is found whose message meets the wanted end.
const ASKED_MAX: usize = 100;

/// This program as it was called, for lines that can be copied as they stand.
#[must_use]
pub fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "muster".to_owned(), |name| name.display().to_string())
}

/// Prints the `swaks` lines for this organisation.
pub fn print(service: &Service, listeners: &[BoundListener], drops: &[(String, &PathBuf)]) {
    let view = service.keeper.view();
    let Tried { open, closed, held } = tried(service, &view);
    let inbound = listeners.iter().find(|listener| listener.role == ListenerRole::Inbound);
    let relay = listeners.iter().find(|listener| listener.role == ListenerRole::Relay);
    println!();
    println!("Copies arrive as .eml files, each with its envelope as .json, in");
    for (name, path) in drops {
        println!("  {name:<8} {}", path.display());
    }
    println!("\nTry, in another terminal (apt install swaks):");
    let line = |listener: Option<&BoundListener>, from: &str, to: Option<&RecipientObject>, what: &str| {
        if let (Some(listener), Some(to), false) = (listener, to, from.is_empty()) {
            println!("  # {what}");
            println!(
                "  swaks --server {} --from {from} --to {}",
                listener.address, to.primary
            );
        }
    };
    let insider = |to: Option<&RecipientObject>, wanted: VerdictKind| {
        to.and_then(|to| colleague(service, &view, to, wanted))
            .unwrap_or_default()
    };
    line(
        inbound,
        "someone@outside.example",
        open,
        "a stranger to a group that takes outside mail",
    );
    line(
        inbound,
        "someone@outside.example",
        closed,
        "a stranger to an internal group: refused",
    );
    line(
        relay,
        &insider(closed, VerdictKind::Accepted),
        closed,
        "a colleague, proven by the trusted network, to the same group",
    );
    line(
        relay,
        &insider(held, VerdictKind::Held),
        held,
        "a colleague to a moderated group: held",
    );
    let muster = format!("{} --config {}", program(), service.settings_path.display());
    println!("\nand ask:");
    println!("  {muster} moderate list");
    if let Some(open) = open {
        println!(
            "  {muster} explain --from someone@outside.example --to {}",
            open.primary
        );
        println!("  {muster} trace --to {}", open.primary);
    }
    println!();
}

/// Groups worth a first message.
struct Tried<'a> {
    /// Takes mail from outside.
    open: Option<&'a RecipientObject>,
    /// Takes mail from inside only.
    closed: Option<&'a RecipientObject>,
    /// Asks its moderators.
    held: Option<&'a RecipientObject>,
}

fn tried<'a>(service: &Service, view: &'a View) -> Tried<'a> {
    let organisation = service.categorizer.organisation();
    let groups = || view.directory.groups().map(|(_, group)| group);
    let internal = |group: &&RecipientObject| authentication::required(group, &organisation.rules).0;
    let moderated = |group: &&RecipientObject| {
        let delivery = group.delivery.as_deref();
        delivery
            .and_then(|delivery| delivery.moderation.as_deref())
            .is_some_and(|moderation| moderation.enabled)
    };
    let plain = |group: &&RecipientObject| !group.kind.is_microsoft365_group() && !moderated(group);
    let largest = |group: &&RecipientObject| {
        let ordinal = view.directory.ordinal_of(&group.id);
        ordinal
            .and_then(|ordinal| view.roll(ordinal))
            .map_or(0, |roll| roll.entries.len())
    };
    let named = |name: &str| groups().find(|group| group.primary.local_part() == name);
    let open = named("all-staff").or_else(|| {
        groups()
            .filter(plain)
            .filter(|group| !internal(group))
            .max_by_key(largest)
    });
    let closed = named("leadership").or_else(|| groups().filter(plain).find(internal));
    let held = named("announce").or_else(|| groups().find(moderated));
    Tried { open, closed, held }
}

/// Somebody inside whose message to the group would end so: asked of `explain`, so that no line promises too much.
fn colleague(service: &Service, view: &View, to: &RecipientObject, wanted: VerdictKind) -> Option<String> {
    let people = view.directory.recipients().map(|(_, object)| object).filter(|object| {
        !object.kind.is_group() && object.is_live() && !object.is_disabled_account() && object.target_address.is_none()
    });
    let ends_so = |person: &Found<'_>| {
        let question = ExplainQuestion {
            from: person.primary.to_string(),
            to: to.primary.to_string(),
            author: None,
            size_bytes: None,
            via: None,
            client: None,
            login: None,
            certificate: None,
        };
        let explained = explain::explain(&service.categorizer, &explain::Entrances::default(), &question);
        explained.is_ok_and(|explained| {
            let mut verdicts = explained.verdicts.iter();
            verdicts.any(|verdict| verdict.seen_as == SeenAs::Internal && verdict.kind == wanted)
        })
    };
    people
        .take(ASKED_MAX)
        .find(ends_so)
        .map(|person| person.primary.to_string())
}
