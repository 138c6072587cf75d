//! `test spoof`: the built-in attack set against the running policy.
//!
//! In: a group. Out: what was tried, what answered, and which setting let through what got through.
//! Never: a policy of its own: every attack is a session with the code that real mail meets ([`mirror`]).

mod attacks;
mod mirror;
mod session;
mod tokens;
mod weak;

use crate::admin::answer::{SpoofAttack, SpoofOutcome, SpoofTested};
use crate::admin::service::{Refusal, RefusalKind};
use crate::directory::{RecipientKind, RecipientObject};
use crate::mail::Mailbox;
use crate::resolver::Standing;
use crate::rolls::View;
use crate::spool::Spool as _;
use crate::spool::message::MessageKind;

use super::service::Service;
use attacks::{Attack, Harm, Target};
use mirror::{Mirror, Passed};

/// Runs all attacks, one after the other.
pub async fn run(service: &Service, group: &RecipientObject) -> Result<SpoofTested, Refusal> {
    let settings = service.settings.load_full();
    let view = service.keeper.view();
    let domain = settings.default_domain();
    let outer = Mailbox::parse(&format!(
        "spoof-test-{}@{domain}",
        crate::categorizer::new_message_id(&service.env)
    ))
    .map_err(|fault| Refusal::new(RefusalKind::Broken, fault.to_string()))?;
    let broken = |fault: std::io::Error| Refusal::new(RefusalKind::Busy, format!("no listener for attacks: {fault}"));
    let mirror = Mirror::of(service, group, &outer).await.map_err(broken)?;
    let victim = victim(&view, group).unwrap_or_else(|| settings.postmaster.clone());
    let target = Target {
        group: group.primary.clone(),
        outer,
        postmaster: settings.postmaster.clone(),
        authserv_id: settings.authenticity.authserv_id.to_string(),
        stamp: settings.trusted_networks.iter().find_map(|network| {
            let (field, tenant) = network.tenancy.as_ref()?.stamp.as_ref()?;
            Some((field.0.to_string(), tenant.0.to_string()))
        }),
        bounces: settings.return_paths.as_ref().map(|paths| paths.bounce_address.clone()),
        victim: victim.clone(),
    };
    let mut tested = SpoofTested {
        group: group.primary.to_string(),
        ..SpoofTested::default()
    };
    for attack in target.attacks() {
        tested.attacks.push(one(service, &mirror, group, attack).await);
    }
    tested.attacks.extend(tokens::attacks(&mirror, group, &victim).await);
    tested.attacks_total = tested.attacks.len() as u64;
    let refused = |attack: &&SpoofAttack| attack.outcome != SpoofOutcome::Through;
    tested.refused_total = tested.attacks.iter().filter(refused).count() as u64;
    Ok(tested)
}

/// One of us, whom the group would believe: an address of an accepted domain among its members.
fn victim(view: &View, group: &RecipientObject) -> Option<Mailbox> {
    let ordinal = view.directory.ordinal_of(&group.id)?;
    let roll = view.rolls.roll(ordinal)?;
    let mailbox = |ordinal: u32| {
        let object = view.object(crate::directory::Ordinal(ordinal))?;
        let person = matches!(
            object.kind,
            RecipientKind::UserMailbox | RecipientKind::RemoteUserMailbox
        );
        person.then(|| object.primary.clone())
    };
    roll.entries.objects.iter().take(1_000).find_map(mailbox)
}

/// Carries one attack out and looks at what came of it.
async fn one(service: &Service, mirror: &Mirror, group: &RecipientObject, attack: Attack) -> SpoofAttack {
    let held_before = mirror.spool.holds().map_or(0, |holds| holds.len());
    let ended = session::carry_out(mirror.address(attack.from), &attack.mail).await;
    let (reply, taken) = match ended {
        Ok(ended) => (ended.reply, ended.taken),
        // A connection that breaks off carries nothing any more.
        Err(fault) => (fault.to_string(), false),
    };
    let passed = mirror.passed().await;
    let held = mirror.spool.holds().map_or(0, |holds| holds.len()) > held_before;
    let harm = passed.iter().find(|passed| harms(passed, attack.harm));
    let mut answer = reply;
    let mut weaknesses = Vec::new();
    let outcome = if let Some(harm) = harm {
        // Not only senders are believed of a session of ours: its marks stay too.
        let session = mirror
            .trusted_by(attack.from)
            .map(|network| format!("network {network}"));
        let proof = harm.message.arrival.proof.clone().or(session);
        let proof = proof.as_deref();
        let organisation = mirror.categorizer.organisation();
        let settings = service.settings.load_full();
        weaknesses = weak::weaknesses(attack.guards, proof, &settings, group, &organisation.rules);
        let standing = proof.map_or_else(
            || Standing::External.to_string(),
            |proof| format!("internal by {proof}"),
        );
        answer = format!("reaches {} recipients; the sender is {standing}", harm.recipients);
        SpoofOutcome::Through
    } else if held {
        SpoofOutcome::Held
    } else if passed
        .iter()
        .any(|passed| passed.message.kind == MessageKind::Submitted)
    {
        SpoofOutcome::Removed
    } else if taken {
        SpoofOutcome::Discarded
    } else {
        SpoofOutcome::Refused
    };
    SpoofAttack {
        attack: attack.name.to_owned(),
        tried: attack.tried,
        outcome,
        answer,
        weaknesses,
    }
}

/// True if what was to be prevented has come about.
fn harms(passed: &Passed, harm: Harm) -> bool {
    if passed.message.kind != MessageKind::Submitted || passed.recipients == 0 {
        return false;
    }
    match harm {
        Harm::Delivery => true,
        Harm::Mark(mark) => {
            let head = String::from_utf8_lossy(&passed.content.head);
            let prefix = String::from_utf8_lossy(&passed.message.prefix);
            // What we found ourselves stands in our own fields, and never says what was forged.
            head.contains(mark) || prefix.contains(mark)
        }
    }
}
