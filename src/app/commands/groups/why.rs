//! `group why`: the path that makes a member one, or what is missing.

use super::Groups;
use crate::admin::answer::{ClauseVerdict, GateVerdict, GroupWhy, NearestChange, NearestMiss};
use crate::admin::command::WhyQuestion;
use crate::admin::service::Refusal;
use crate::directory::filter::evaluate::{Clause, ClauseKind};
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::nearest::nearest;
use crate::directory::filter::rule::CompiledRule;
use crate::directory::{Ordinal, RecipientObject};

/// Most others of a nearest miss that are named; the rest is counted.
const OTHERS_MAX: usize = 1_000;

impl Groups<'_> {
    /// Why somebody is in a group, or is not.
    pub fn why(&self, question: &WhyQuestion) -> Result<GroupWhy, Refusal> {
        let (ordinal, group) = self.group(&question.group)?;
        let (member, recipient) = self.find(&question.recipient)?;
        let mut why = GroupWhy {
            group: group.primary.to_string(),
            recipient: recipient.primary.to_string(),
            paths: self.paths_to(ordinal, group, member),
            roll: self.roll_state(ordinal, group),
            ..GroupWhy::default()
        };
        why.member = !why.paths.is_empty();
        let rule = group.group.as_deref().and_then(|settings| settings.rule.as_deref());
        match rule.map(|rule| CompiledRule::compile(rule, self.options)) {
            Some(Ok(compiled)) => self.judged(&mut why, ordinal, &compiled, &recipient, question.list),
            Some(Err(fault)) => why.notes.push(format!("the filter cannot be evaluated: {fault}")),
            None if !why.member => why
                .notes
                .push("its members are listed in its source, not found by a rule".to_owned()),
            None => {}
        }
        Ok(why)
    }

    /// Every path from a group down to one entry.
    fn paths_to(&self, top: Ordinal, group: &RecipientObject, member: Ordinal) -> Vec<Vec<String>> {
        let holds = |group: Ordinal| {
            self.view
                .roll(group)
                .is_some_and(|roll| roll.receivers().objects.contains(member.0))
        };
        let walked = self.walk(top).into_iter().filter(|(nested, _)| holds(*nested));
        walked
            .map(|(_, path)| std::iter::once(group.primary.to_string()).chain(path).collect())
            .collect()
    }

    /// What the rule says about him, clause by clause, and what is missing.
    fn judged(&self, why: &mut GroupWhy, group: Ordinal, rule: &CompiledRule, recipient: &RecipientObject, list: bool) {
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
        why.clauses = clauses(explained.clauses, recipient);
        if why.member {
            return;
        }
        let Some(nearest) = nearest(rule, recipient, &context) else {
            return;
        };
        let members = self.view.roll(group).map(|roll| (*roll.entries.objects).clone());
        let mut others = nearest.others(&self.view.directory, rule, &context, &members.unwrap_or_default());
        if let Some(own) = self.view.directory.ordinal_of(&recipient.id) {
            others.remove(own.0);
        }
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

/// Clauses as lines. The outermost `and` is not named: all its parts must hold, as anybody expects.
fn clauses(explained: Vec<Clause>, recipient: &RecipientObject) -> Vec<ClauseVerdict> {
    let outer = explained
        .first()
        .is_some_and(|clause| matches!(clause.kind, ClauseKind::All));
    let above = usize::from(outer);
    explained
        .into_iter()
        .skip(above)
        .map(|clause| {
            let (text, stored) = match clause.kind {
                ClauseKind::Test { text, stored } => (text, Some(stored)),
                ClauseKind::All => ("all of".to_owned(), None),
                ClauseKind::Any => ("any of".to_owned(), None),
                ClauseKind::Not => ("not".to_owned(), None),
                ClauseKind::Constant => ("always the same".to_owned(), None),
            };
            ClauseVerdict {
                clause: text,
                holds: clause.holds,
                depth: (clause.depth - above) as u64,
                source: stored.is_some().then(|| recipient.source.to_string()),
                note: stored.as_deref().and_then(oddity).map(str::to_owned),
                // What is absent has no value to show.
                stored: stored.filter(|value| value != "(none)").into_iter().collect(),
                changed_at: None,
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
