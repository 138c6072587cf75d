//! Which setting lets an attack through, and what to change.

use crate::admin::answer::SpoofWeakness;
use crate::config::settings::{Author, NestedRestrictions, Settings, Spoofed};
use crate::directory::RecipientObject;
use crate::policy::Rules;
use crate::policy::authentication;

/// What stands in the way of an attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Guard {
    /// What becomes of reverse-paths of ours without proof.
    SpoofedRule,
    /// Whether the author must be the sender.
    AuthorRule,
    /// Whether strangers may write to the group.
    GroupOpen,
    /// Whether nested groups are asked.
    Nested,
    /// Whether the group takes mail in Bcc.
    BccAllowed,
}

/// The settings that are weak in what an attack is about.
pub(super) fn weaknesses(
    guards: &[Guard],
    proof: Option<&str>,
    settings: &Settings,
    group: &RecipientObject,
    rules: &Rules,
) -> Vec<SpoofWeakness> {
    // Whoever counts as one of us passes everything that asks for it.
    if let Some(proof) = proof {
        return vec![by_proof(proof)];
    }
    let policy = &settings.policy;
    let (required, _) = authentication::required(group, rules);
    let open = guards.iter().filter_map(|guard| match guard {
        Guard::SpoofedRule if policy.spoofed == Spoofed::External => Some(weakness(
            "policy.spoofed",
            "\"external\"",
            "set it to \"refuse\" or \"quarantine\"",
        )),
        Guard::AuthorRule if policy.author == Author::Ignore => Some(weakness(
            "policy.author",
            "\"ignore\"",
            "set it to \"permitted\" or \"same\"",
        )),
        Guard::Nested if policy.nested_restrictions == NestedRestrictions::TopOnly => Some(weakness(
            "policy.nested_restrictions",
            "\"top_only\"",
            "set it to \"enforce\", so that nested groups are asked too",
        )),
        Guard::GroupOpen if !required => Some(weakness(
            &format!("require_sender_authentication_enabled of {}", group.primary),
            "false",
            "set it to true; name outside senders who must write in an accept list of a group of their own",
        )),
        Guard::BccAllowed if group.group.as_ref().is_some_and(|group| !group.bcc_blocked) && !required => {
            Some(weakness(
                &format!("bcc_blocked of {}", group.primary),
                "false",
                "set it to true, so that mail must name the group",
            ))
        }
        Guard::SpoofedRule | Guard::AuthorRule | Guard::Nested | Guard::GroupOpen | Guard::BccAllowed => None,
    });
    open.collect()
}

/// What made a stranger one of us.
pub(super) fn by_proof(proof: &str) -> SpoofWeakness {
    let words: Vec<&str> = proof.split(' ').collect();
    match words.as_slice() {
        ["network", name] => weakness(
            &format!("trusted_networks \"{name}\""),
            "wide enough for anybody",
            "name only addresses that nobody but you sends from, and say `tenant` where others do as well",
        ),
        ["network", name, ..] => weakness(
            &format!("trusted_networks \"{name}\""),
            "satisfied by what another customer can write",
            "check `tenant` and `tenant_field` with the provider",
        ),
        _ => weakness(
            "authenticity.dmarc_proves",
            "true",
            "set it to false, or see who may send by your DMARC record",
        ),
    }
}

fn weakness(setting: &str, value: &str, change: &str) -> SpoofWeakness {
    SpoofWeakness {
        setting: setting.to_owned(),
        value: value.to_owned(),
        change: change.to_owned(),
    }
}
