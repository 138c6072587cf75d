//! The exact lines a newcomer tries first, when next hops are directories.

use std::path::PathBuf;

use super::service::{BoundListener, Service};
use crate::categorizer::intake::ListenerRole;
use crate::directory::RecipientObject;
use crate::policy::authentication;

/// Prints the `swaks` lines for this organisation.
pub fn print(service: &Service, listeners: &[BoundListener], drops: &[(String, &PathBuf)]) {
    let view = service.keeper.view();
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
    let person = view.directory.recipients().map(|(_, object)| object).find(|object| {
        !object.kind.is_group() && object.is_live() && !object.is_disabled_account() && object.target_address.is_none()
    });
    let inbound = listeners.iter().find(|listener| listener.role == ListenerRole::Inbound);
    let relay = listeners.iter().find(|listener| listener.role == ListenerRole::Relay);
    println!();
    println!("Copies arrive as .eml files, each with its envelope as .json, in");
    for (name, path) in drops {
        println!("  {name:<8} {}", path.display());
    }
    println!("\nTry, in another terminal (apt install swaks):");
    let line = |listener: Option<&BoundListener>, from: &str, to: Option<&RecipientObject>, what: &str| {
        if let (Some(listener), Some(to)) = (listener, to) {
            println!("  # {what}");
            println!(
                "  swaks --server {} --from {from} --to {}",
                listener.address, to.primary
            );
        }
    };
    let insider = person.map_or_else(String::new, |person| person.primary.to_string());
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
        &insider,
        closed,
        "a colleague, proven by the trusted network, to the same group",
    );
    line(relay, &insider, held, "to a moderated group: held");
    let config = service.settings_path.display();
    println!("\nand ask:");
    println!("  muster --config {config} moderate list");
    if let Some(open) = open {
        println!(
            "  muster --config {config} explain --from someone@outside.example --to {}",
            open.primary
        );
        println!("  muster --config {config} trace --to {}", open.primary);
    }
    println!();
}
