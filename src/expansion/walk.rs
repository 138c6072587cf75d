//! The walk: addressed recipients one after the other, each with everything it leads to.

use std::collections::HashMap;

use super::dialect::spoken;
use super::outcome::{Expansion, Halt, Judged, RefusedBranch, Tally, Verdict};
use super::reports::{State, keeps_auto_replies};
use super::request::{HoldStanding, Limits, Release, Request, Start};
use super::routes::{HopId, Place, Router, Routes};
use super::seen::{Fate, Seen};
use crate::directory::{ObjectId, Ordinal, RecipientObject, RowRef};
use crate::mail::{EnvelopeRecipient, Mailbox};
use crate::policy::gate::{Asked, Asking, Pass, SenderFacts};
use crate::policy::rules::SpoofedSender;
use crate::policy::{Fact, Refusal, Rules, gate};
use crate::resolver::{How, Resolved, Standing, lookup, shared};
use crate::rolls::View;
use crate::track::{HoldCause, Reason};

/// Expands a message: the pass, `explain` and the release of a hold.
#[must_use]
pub fn expand(request: &Request<'_>, view: &View, rules: &Rules, router: &dyn Router, limits: &Limits) -> Expansion {
    let mut walk = Walk::new(request, view, rules, router, limits, Extent::Whole);
    let ended = match request.start {
        Start::Addressed(recipients) => walk.addressed_all(recipients),
        Start::Release(release) => walk.released(release),
    };
    walk.finish(ended.err())
}

/// Judges one addressed recipient at RCPT: everything but the members of a group and the next hop. The pass
/// decides. `request.start` is not read.
#[must_use]
pub fn judge_recipient(recipient: &EnvelopeRecipient, request: &Request<'_>, view: &View, rules: &Rules) -> Judged {
    let limits = Limits::default();
    let mut walk = Walk::new(request, view, rules, &Anywhere, &limits, Extent::Judgement);
    let ended = walk.addressed_all(std::slice::from_ref(recipient));
    let mut judged = walk.finish(ended.err()).judged;
    judged.pop().expect("one recipient gives one verdict")
}

/// Routes are not judged at RCPT.
struct Anywhere;

impl Router for Anywhere {
    fn next_hop(&self, _: Option<Place>, _: &Mailbox) -> Result<HopId, Reason> {
        Ok(HopId(0))
    }
}

/// How far a walk goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// To every final recipient.
    Whole,
    /// Up to the members of a group.
    Judgement,
}

/// How an object was met.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// Named in the envelope.
    Addressed(How),
    /// A line of a roll.
    Entry,
    /// The target of a contact or forward, or an owner.
    Onward,
    /// Its hold was approved.
    Released,
}

/// What came of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// Copies, a refusal, a hold, a drop, or a person who already has a copy.
    Something,
    /// Nothing at all: an empty group.
    Nothing,
    /// Nothing, because it led back to a forward on the way here.
    Loop,
}

impl Came {
    fn of(reason: Reason) -> Self {
        if reason == Reason::ForwardingLoop {
            Self::Loop
        } else {
            Self::Nothing
        }
    }

    /// Of two parts of one whole.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Something, _) | (_, Self::Something) => Self::Something,
            (Self::Loop, _) | (_, Self::Loop) => Self::Loop,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }
}

/// A step of the walk; the error ends it as a whole.
pub(super) type Step<T> = Result<T, Box<Halt>>;

pub(super) struct Walk<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) view: &'a View,
    pub(super) rules: &'a Rules,
    pub(super) limits: &'a Limits,
    pub(super) extent: Extent,
    pub(super) from: SenderFacts<'a>,
    pub(super) routes: Routes<'a>,
    pub(super) seen: Seen,
    pub(super) out: Expansion,
    /// Groups above the current object.
    pub(super) path: Vec<Ordinal>,
    /// (copies, duplicates) of the groups in `path`.
    pub(super) counts: Vec<(u64, u64)>,
    /// Forwards and contact targets that are being followed.
    pub(super) onward: Vec<Ordinal>,
    /// Groups above the held branch that is released.
    above: Vec<String>,
    /// Holds of the same message that are not this one.
    others: HashMap<Ordinal, HoldStanding>,
    /// The addressed recipient at hand.
    pub(super) current: Judged,
    pub(super) reached: usize,
}

impl<'a> Walk<'a> {
    fn new(
        request: &'a Request<'a>,
        view: &'a View,
        rules: &'a Rules,
        router: &'a dyn Router,
        limits: &'a Limits,
        extent: Extent,
    ) -> Self {
        let seen = match (extent, request.start) {
            (Extent::Whole, Start::Release(release)) => Seen::after(&release.committed, &view.directory),
            (Extent::Whole | Extent::Judgement, Start::Addressed(_)) | (Extent::Judgement, Start::Release(_)) => {
                Seen::default()
            }
        };
        Self {
            request,
            view,
            rules,
            limits,
            extent,
            from: SenderFacts {
                quarantined: request.quarantined,
                ..SenderFacts::of(request.sender, request.size_bytes, view)
            },
            routes: Routes::new(router),
            seen,
            out: Expansion::default(),
            path: Vec::new(),
            counts: Vec::new(),
            onward: Vec::new(),
            above: Vec::new(),
            others: HashMap::new(),
            current: judged(0),
            reached: 0,
        }
    }

    fn finish(mut self, halt: Option<Box<Halt>>) -> Expansion {
        if let Some(halt) = halt {
            self.halted(*halt);
        }
        spoken(self.out, self.rules.reply_dialect)
    }

    fn halted(&mut self, halt: Halt) {
        let mut all = std::mem::take(&mut self.out.judged);
        let mut current = std::mem::replace(&mut self.current, judged(0));
        current.verdict = Verdict::Refused(halt.refusal.clone());
        all.push(current);
        self.out = Expansion {
            halt: Some(halt),
            judged: all,
            explanations: std::mem::take(&mut self.out.explanations),
            steps: self.out.steps,
            ..Expansion::default()
        };
    }

    fn addressed_all(&mut self, recipients: &[EnvelopeRecipient]) -> Step<()> {
        for (index, recipient) in (0u32..).zip(recipients) {
            self.current = judged(index);
            let first_refused = self.out.refused.len();
            self.addressed(recipient)?;
            self.settle(first_refused);
        }
        Ok(())
    }

    fn addressed(&mut self, recipient: &EnvelopeRecipient) -> Step<()> {
        let mailbox = &recipient.forward_path;
        let state = State {
            reverse_path: self.request.sender.reverse_path.clone(),
            notify: recipient.notify,
            expanded: false,
            hidden: false,
            approved_above: false,
            no_auto_replies: false,
        };
        let resolved = lookup::resolve(
            mailbox,
            &self.view.directory,
            self.rules,
            self.request.relaying,
            self.request.sources,
        );
        match resolved {
            Err(refusal) => {
                let fact = Fact::Refused {
                    reply: refusal.reply.clone(),
                    reason: refusal.reason,
                };
                self.explain(mailbox, vec![self.sender_fact(), fact]);
                self.refuse(None, mailbox, &state, refusal)
            }
            Ok(Resolved::Object { ordinal, how }) => {
                self.current.object = Some(ordinal);
                self.object(ordinal, &state, Met::Addressed(how)).map(|_| ())
            }
            Ok(Resolved::Outside { mailbox, how }) => {
                let to = mailbox.as_str().to_owned();
                let resolved = Fact::Resolved { to, how: Some(how) };
                self.explain(&mailbox, vec![self.sender_fact(), resolved]);
                if self.is_quarantined() {
                    // Nobody here moderates for it: it cannot be held, and unproven it does not go on.
                    let reason = if self.request.quarantined {
                        Reason::ContentRejected
                    } else {
                        Reason::SenderSpoofed
                    };
                    let refusal = Refusal::of(reason, None);
                    return self.refuse(None, &mailbox, &state, refusal);
                }
                let namespace = shared::namespace(&mailbox, self.rules);
                if let Some(reason) = namespace.and_then(|domain| (self.request.came_from)(&domain)) {
                    let refusal = Refusal::of(reason, None);
                    self.fact(|| Fact::Refused {
                        reply: refusal.reply.clone(),
                        reason,
                    });
                    return self.refuse(None, &mailbox, &state, refusal);
                }
                self.outside(&mailbox, &state)
            }
        }
    }

    fn is_quarantined(&self) -> bool {
        self.request.quarantined
            || (self.request.sender.standing == Standing::Spoofed && self.rules.spoofed == SpoofedSender::Quarantine)
    }

    fn released(&mut self, release: &Release) -> Step<()> {
        self.current = judged(release.addressed);
        self.above.clone_from(&release.path);
        let directory = &self.view.directory;
        self.others = release
            .others
            .iter()
            .filter_map(|(id, standing)| directory.ordinal_of(id).map(|ordinal| (ordinal, *standing)))
            .collect();
        let state = State {
            reverse_path: release.reverse_path.clone(),
            notify: release.notify,
            expanded: !release.path.is_empty(),
            hidden: release.hidden,
            approved_above: release.bypass_nested,
            no_auto_replies: release.path.iter().any(|group| self.keeps_auto_replies(group)),
        };
        match directory.ordinal_of(&release.object) {
            Some(ordinal) => {
                self.current.object = Some(ordinal);
                self.object(ordinal, &state, Met::Released)?;
            }
            None => self.refuse(
                None,
                &release.recipient,
                &state,
                Refusal::of(Reason::GroupVanished, None),
            )?,
        }
        self.settle(0);
        Ok(())
    }

    /// Closes the addressed recipient at hand: a refusal that is all that came of it is its verdict.
    fn settle(&mut self, first_refused: usize) {
        let tally = self.current.tally;
        let object = self.current.object;
        let nobody = self.current.verdict == Verdict::Accepted && tally.recipients + tally.duplicates + tally.held == 0;
        let own =
            |branch: &&RefusedBranch| self.current.expanded.is_none() || (object.is_some() && branch.object == object);
        let only = self.out.refused.get(first_refused).filter(own);
        if let Some(branch) = only.filter(|_| nobody && tally.refused == 1) {
            self.current.verdict = Verdict::Refused(branch.refusal.clone());
            self.out.refused.truncate(first_refused);
            self.current.tally.refused = 0;
        } else if nobody && tally.refused == 0 && self.extent == Extent::Whole {
            let kind = object.and_then(|ordinal| self.view.row(ordinal)).map(RowRef::kind);
            self.current.verdict = Verdict::Refused(Refusal::of(Reason::GroupEmpty, kind));
        }
        let closed = std::mem::replace(&mut self.current, judged(0));
        self.out.judged.push(closed);
    }

    /// Judges one object and follows what it leads to.
    pub(super) fn object(&mut self, ordinal: Ordinal, state: &State, met: Met) -> Step<Came> {
        self.out.steps += 1;
        let view = self.view;
        let Some(object) = view.object(ordinal) else {
            self.stale(ordinal);
            return Ok(Came::Something);
        };
        if self.path.len() + self.onward.len() + self.above.len() >= self.limits.depth_max {
            return Err(self.halt(Refusal::of(Reason::TooDeep, Some(object.kind)), &object.primary));
        }
        if object.kind.is_group() {
            self.group(ordinal, &object, state, met)
        } else {
            self.person(ordinal, &object, state, met)
        }
    }

    /// An object that was met before, or that another hold of the same message asks about; none if it is new.
    ///
    /// What an addressed recipient was refused is not noted as its fate: below a group other rules may hold.
    pub(super) fn again(
        &mut self,
        ordinal: Ordinal,
        object: &RecipientObject,
        state: &State,
        met: Met,
    ) -> Step<Option<Came>> {
        let elsewhere = match (self.others.get(&ordinal), met) {
            (None, _) | (_, Met::Released) => None,
            (Some(HoldStanding::Ended), _) => Some(Fate::Reached),
            (Some(HoldStanding::Waiting), _) => (!state.approved_above).then_some(Fate::Held),
        };
        let known = self.seen.fates.get(&ordinal).copied();
        let reached = || self.seen.objects.contains(ordinal.0).then_some(Fate::Reached);
        let Some(fate) = elsewhere.or(known).or_else(reached) else {
            return Ok(None);
        };
        match fate {
            Fate::Open => {}
            Fate::Reached => self.duplicates(1),
            Fate::Empty => return Ok(Some(Came::Nothing)),
            Fate::Refused => self.current.tally.refused += 1,
            Fate::Held => self.current.tally.held += 1,
            Fate::Lost(reason) if met == Met::Onward => return Ok(Some(Came::of(reason))),
            Fate::Lost(reason) => self.lost(ordinal, object, state, reason)?,
        }
        Ok(Some(Came::Something))
    }

    /// A forward that leads to nobody: refused once for each person who is met so.
    pub(super) fn lost(
        &mut self,
        ordinal: Ordinal,
        object: &RecipientObject,
        state: &State,
        reason: Reason,
    ) -> Step<()> {
        self.seen.fates.insert(ordinal, Fate::Lost(reason));
        if self.is_top() || self.seen.told.insert(ordinal.0) {
            let refusal = Refusal::of(reason, Some(object.kind));
            return self.refuse_branch(Some(ordinal), &object.primary, state, refusal);
        }
        self.current.tally.refused += 1;
        Ok(())
    }

    /// Notes what the gate said of an object below the addressed recipient.
    pub(super) fn closed(&mut self, ordinal: Ordinal, met: Met) {
        match met {
            Met::Addressed(_) | Met::Released => {}
            Met::Entry | Met::Onward => {
                let held = self.seen.held.contains(ordinal.0);
                self.seen
                    .fates
                    .insert(ordinal, if held { Fate::Held } else { Fate::Refused });
            }
        }
    }

    /// Asks the gate; a hold or refusal is noted here. True if the way is open.
    pub(super) fn passes(&mut self, ordinal: Ordinal, object: &RecipientObject, state: &State, met: Met) -> Step<bool> {
        let asked = match met {
            Met::Addressed(How::Postmaster) => Asked::Postmaster,
            Met::Addressed(_) if lookup::is_postmaster(&object.primary) => Asked::Postmaster,
            Met::Addressed(How::Address | How::LegacyDn | How::PlusAddress) => Asked::Addressed,
            Met::Entry | Met::Onward => Asked::Nested {
                approved_above: state.approved_above,
            },
            Met::Released => Asked::Approved,
        };
        let mut facts = match met {
            Met::Addressed(how) => {
                let to = object.primary.as_str().to_owned();
                vec![self.sender_fact(), Fact::Resolved { to, how: Some(how) }]
            }
            Met::Entry | Met::Onward | Met::Released => Vec::new(),
        };
        let verdict = gate::judge(object, asked, &self.from, self.view, self.rules, &mut facts);
        if let Err(refusal) = &verdict {
            facts.push(Fact::Refused {
                reply: refusal.reply.clone(),
                reason: refusal.reason,
            });
        }
        self.explain(&object.primary, facts);
        match verdict {
            Ok(Pass::Open) => Ok(true),
            // Whoever is asked to confirm would say yes and go past the brake.
            Ok(Pass::Hold(Asking {
                cause: HoldCause::Confirmation,
                ..
            })) if matches!(met, Met::Addressed(_)) && self.runs_into_brake(ordinal, object, state) => Ok(false),
            Ok(Pass::Hold(asking)) => {
                self.hold(ordinal, object, state, asking);
                Ok(false)
            }
            Err(refusal) => {
                self.refuse(Some(ordinal), &object.primary, state, refusal)?;
                Ok(false)
            }
        }
    }

    /// A group above a held branch, by its address.
    fn keeps_auto_replies(&self, group: &str) -> bool {
        let found = self.view.directory.lookup_reference(group).one();
        found
            .and_then(|ordinal| self.view.group(ordinal))
            .is_some_and(|group| keeps_auto_replies(group, self.rules))
    }

    /// BccBlocked: refuses a group if the addressed recipient is named neither in To nor in Cc. A report of our own
    /// has no say in it.
    ///
    /// Differs: Exchange asks the addressed group only, and lets outside senders pass.
    pub(super) fn blocks_bcc(&mut self, group: &RecipientObject) -> bool {
        let blocks = group.group.as_deref().is_some_and(|group| group.bcc_blocked);
        if !blocks {
            return false;
        }
        self.explain(&group.primary, vec![Fact::BccBlocked]);
        (self.request.in_bcc)(self.current.addressed, self.view)
    }

    pub(super) fn above_is_empty(&self) -> bool {
        self.above.is_empty()
    }

    /// True at the addressed recipient itself, before any group or forward.
    pub(super) fn is_top(&self) -> bool {
        self.path.is_empty() && self.onward.is_empty()
    }

    pub(super) fn path_text(&self) -> Vec<String> {
        let groups = self.path.iter().filter_map(|group| self.view.group(*group));
        let below = groups.map(|group| group.primary.as_str().to_owned());
        self.above.iter().cloned().chain(below).collect()
    }

    fn sender_fact(&self) -> Fact {
        let object = self
            .from
            .identity
            .objects
            .min()
            .and_then(|number| self.view.row(Ordinal(number)));
        Fact::Sender {
            standing: self.request.sender.standing.to_string(),
            object: object.map(|object| object.primary_address().to_owned()),
        }
    }
}

fn judged(addressed: u32) -> Judged {
    Judged {
        addressed,
        object: None,
        verdict: Verdict::Accepted,
        tally: Tally::default(),
        expanded: None::<ObjectId>,
        report_expanded: false,
    }
}
