//! `group why`: the path that makes a member one, or what is missing.

use jiff::Timestamp;

use super::Groups;
use super::members::{Seen, Step};
use crate::admin::answer::{ClauseVerdict, GateVerdict, GroupWhy, NearestChange, NearestMiss, PinShown};
use crate::admin::command::WhyQuestion;
use crate::admin::service::Refusal;
use crate::directory::attribute::Attribute;
use crate::directory::filter::evaluate::{Clause, ClauseKind};
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::nearest::nearest;
use crate::directory::filter::rule::CompiledRule;
use crate::directory::{Ordinal, RecipientObject};
use crate::rolls::pin::{Viewer, visible_to};

/// Most others of a nearest miss that are named; the rest is counted.
const OTHERS_MAX: usize = 1_000;

impl Groups<'_> {
    /// Why somebody is in a group, or is not.
    pub fn why(&self, question: &WhyQuestion) -> Result<GroupWhy, Refusal> {
        let (ordinal, group) = self.group(&question.group)?;
        let (member, recipient) = self.find(&question.recipient)?;
        let seen = Seen {
            at: question.at,
            viewer: self.viewer(question.seen_by.as_deref())?,
        };
        let steps = self.walk_seen(ordinal, &seen)?;
        let mut why = GroupWhy {
            group: group.primary.to_string(),
            recipient: recipient.primary.to_string(),
            at: question.at,
            paths: paths(&steps, group, member),
            pins: self.pins_on(&steps, member, seen.viewer),
            roll: self.roll_state(ordinal, group),
            ..GroupWhy::default()
        };
        why.member = !why.paths.is_empty();
        if question.at.is_some() {
            why.notes
                .push("membership is that of the time asked for; clauses and pins are those of today".to_owned());
        }
        let rule = group.group.as_deref().and_then(|settings| settings.rule.as_deref());
        match rule.map(|rule| CompiledRule::compile(rule, self.options)) {
            Some(Ok(compiled)) => self.judged(&mut why, ordinal, &compiled, member, question.list),
            Some(Err(fault)) => why.notes.push(format!("the filter cannot be evaluated: {fault}")),
            None if !why.member => why
                .notes
                .push("its members are listed in its source, not found by a rule".to_owned()),
            None => {}
        }
        Ok(why)
    }

    /// Pins of one person in the groups on the way, as somebody may see them.
    fn pins_on(&self, steps: &[Step], member: Ordinal, viewer: Viewer) -> Vec<PinShown> {
        let mut shown = Vec::new();
        for step in steps {
            let Some(group) = self.view.group(step.group) else {
                continue;
            };
            let pins = self.pins(step.group);
            let own = visible_to(&pins, viewer).filter(|pin| pin.object == member);
            shown.extend(own.map(|pin| self.pin(group, pin)));
        }
        shown
    }

    /// What the rule says about him, clause by clause, and what is missing.
    fn judged(&self, why: &mut GroupWhy, group: Ordinal, rule: &CompiledRule, member: Ordinal, list: bool) {
        let Some(recipient) = self.view.object(member) else {
            return;
        };
        let recipient = &*recipient;
        let context = DirectMembers::for_rule(&self.view.directory, rule, self.now);
        let explained = rule.explain(recipient, &context);
        why.gates = explained
            .gates
            .iter()
            .map(|(gate, holds)| GateVerdict {
                gate: gate.to_string(),
                holds: *holds,
            })
            .collect();
        let mut attributes = Vec::new();
        rule.node().each_test(&mut |test| attributes.push(test.attribute()));
        let changes = match self.kept.changes_of(member) {
            Ok(changes) => changes,
            Err(refusal) => {
                why.notes
                    .push(format!("when values changed is not known now: {refusal}"));
                Vec::new()
            }
        };
        let changed_at = |attribute| {
            changes
                .iter()
                .find(|change| change.attribute == attribute)
                .map(|change| change.at)
        };
        why.clauses = clauses(explained.clauses, recipient, &attributes, &changed_at);
        // Who passes the rule and is no member is kept out by something else: a pin, the guard, an old list.
        if why.member {
            return;
        }
        if explained.verdict {
            // Of another time, today's list says nothing.
            if why.at.is_some() {
                return;
            }
            let text = match self.kept.hold(group) {
                Some(hold) => format!(
                    "the rule finds this recipient; the guard holds the newer list: {}",
                    hold.limit
                ),
                None if why.pins.is_empty() => "the rule finds this recipient; the list is older than that".to_owned(),
                None => return,
            };
            why.notes.push(text);
            return;
        }
        let Some(nearest) = nearest(rule, recipient, &context) else {
            return;
        };
        let members = self.view.roll(group).map(|roll| roll.entries.objects.to_set());
        let mut others = nearest.others(&self.view.directory, rule, &context, &members.unwrap_or_default());
        others.remove(member.0);
        why.nearest = Some(NearestMiss {
            text: nearest.to_string(),
            changes: nearest
                .changes
                .iter()
                .map(|change| NearestChange {
                    attribute: change.attribute.to_string(),
                    stored: change.stored.clone(),
                    instead: change.instead.clone(),
                    kind: change.kind.word().to_owned(),
                })
                .collect(),
            others: others.len(),
            other_recipients: if list {
                self.addresses(others.iter().take(OTHERS_MAX))
            } else {
                Vec::new()
            },
        });
    }
}

/// Every path from a group down to one entry.
fn paths(steps: &[Step], top: &RecipientObject, member: Ordinal) -> Vec<Vec<String>> {
    let holding = steps.iter().filter(|step| step.list.objects.contains(member.0));
    holding
        .map(|step| {
            std::iter::once(top.primary.to_string())
                .chain(step.path.iter().cloned())
                .collect()
        })
        .collect()
}

/// Clauses as lines. The outermost `and` is not named: all its parts must hold, as anybody expects.
///
/// `attributes` are those of the comparisons, in the order of the text.
fn clauses(
    explained: Vec<Clause>,
    recipient: &RecipientObject,
    attributes: &[Attribute],
    changed_at: &dyn Fn(Attribute) -> Option<Timestamp>,
) -> Vec<ClauseVerdict> {
    let mut attributes = attributes.iter();
    let outer = explained
        .first()
        .is_some_and(|clause| matches!(clause.kind, ClauseKind::All));
    let above = usize::from(outer);
    explained
        .into_iter()
        .skip(above)
        .map(|clause| {
            let (text, stored, changed_at) = match clause.kind {
                ClauseKind::Test { text, stored } => {
                    let changed_at = attributes.next().and_then(|attribute| changed_at(*attribute));
                    (text, Some(stored), changed_at)
                }
                ClauseKind::All => ("all of".to_owned(), None, None),
                ClauseKind::Any => ("any of".to_owned(), None, None),
                ClauseKind::Not => ("not".to_owned(), None, None),
                ClauseKind::Constant => ("always the same".to_owned(), None, None),
            };
            ClauseVerdict {
                clause: text,
                holds: clause.holds,
                depth: (clause.depth - above) as u64,
                source: stored.is_some().then(|| recipient.source.to_string()),
                note: stored.as_deref().and_then(oddity).map(str::to_owned),
                // What is absent has no value to show.
                stored: stored.filter(|value| value != "(none)").into_iter().collect(),
                changed_at,
            }
        })
        .collect()
}

/// What is odd about a stored value; the usual reason why a filter misses somebody.
fn oddity(stored: &str) -> Option<&'static str> {
    if stored.ends_with(char::is_whitespace) {
        Some("blank at the end")
    } else if stored.starts_with(char::is_whitespace) {
        Some("blank at the beginning")
    } else {
        None
    }
}
