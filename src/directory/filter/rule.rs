//! The rule of a dynamic group, ready to judge.
//!
//! In: a [`DynamicRule`] as the source states it. Out: a yes or no per object, and on request every gate and
//! clause with the value it saw. Never: a member outside the container, without an address or alias, deleted,
//! or one of Exchange's own mailboxes.

use std::fmt;

use super::context::{EvaluationContext, GroupAsked};
use super::evaluate::{Clause, Node, PrepareFault};
use super::lint::Warning;
use super::opath;
use super::predicate::{Comparison, Predicate};
use super::quantified::Quantified;
use super::remote;
use super::scope::Scope;
use super::tail::is_system_name;
use super::{EvaluationOptions, FilterError, parse_in};
use crate::directory::attribute::Attribute;
use crate::directory::group::{ComparisonProfile, DynamicRule, FilterLanguage, RuleCondition};
use crate::directory::recipient::RecipientObject;

/// Why a rule cannot judge. The group keeps its last good list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Documented by Exchange, not held by our object model: never read as false.
    #[error("the filter cannot be evaluated: {} not held here", names(.properties))]
    CannotEvaluate { properties: Vec<&'static str> },
    /// A comparison that a builder of predicates made and no parser would.
    #[error("the comparison {0} has no meaning")]
    Comparison(Comparison),
    #[error("the condition {0} has no meaning")]
    Quantified(Box<Quantified>),
    /// A property of ours that a setting switches on.
    #[error("{0} is an extension of muster; policy.member_of_group_recursive switches it on")]
    SwitchedOff(&'static str),
    /// A precanned rule without `IncludedRecipients` would widen to everybody.
    #[error("a precanned rule must say which recipients it includes")]
    NothingIncluded,
}

impl From<PrepareFault> for RuleFault {
    fn from(fault: PrepareFault) -> Self {
        match fault {
            PrepareFault::NotHeld(name) => Self::CannotEvaluate { properties: vec![name] },
            PrepareFault::SwitchedOff(name) => Self::SwitchedOff(name),
            PrepareFault::Value(comparison) => Self::Comparison(comparison),
            PrepareFault::Quantified(condition) => Self::Quantified(condition),
        }
    }
}

fn names(properties: &[&'static str]) -> String {
    let verb = if properties.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", properties.join(", "))
}

/// A rule ready to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledRule {
    predicate: Predicate,
    /// What is evaluated where that is not the predicate as written.
    widened: Option<Predicate>,
    node: Node,
    scope: Option<Scope>,
    warnings: Vec<Warning>,
}

impl CompiledRule {
    /// Makes a rule ready. `options.comparison` holds where the rule states none of its own.
    pub fn compile(rule: &DynamicRule, options: &EvaluationOptions) -> Result<Self, RuleFault> {
        let (language, parsed) = match &rule.condition {
            RuleCondition::Custom { language, text } => (*language, parse_in(*language, text)?),
            RuleCondition::Precanned(precanned) if precanned.included.is_empty() => {
                return Err(RuleFault::NothingIncluded);
            }
            RuleCondition::Precanned(precanned) => (FilterLanguage::Opath, opath::parse(&precanned.text())?),
        };
        let is_entra = language == FilterLanguage::Entra;
        // Entra compares without case and in no other way, whatever the service does for Exchange's filters.
        let default = if is_entra {
            ComparisonProfile::Cloud
        } else {
            options.comparison
        };
        let options = EvaluationOptions {
            comparison: rule.comparison.unwrap_or(default),
            ..options.clone()
        };
        let widens = rule.remote_mailboxes_match_user_mailbox && remote::asks_for_user_mailboxes(&parsed.predicate);
        let widened = widens.then(|| remote::widened(&parsed.predicate));
        let evaluated = widened.clone().unwrap_or_else(|| parsed.predicate.clone());
        let mut compiled = Self::of_predicate(evaluated, &options)?;
        if is_entra {
            compiled.node = compiled.node.of_users();
        }
        compiled.predicate = parsed.predicate;
        compiled.widened = widened;
        compiled.warnings = parsed.warnings;
        compiled.scope = rule.recipient_container.as_deref().and_then(Scope::parse);
        Ok(compiled)
    }

    /// A rule over the whole directory from a predicate.
    pub fn of_predicate(predicate: Predicate, options: &EvaluationOptions) -> Result<Self, RuleFault> {
        let properties = predicate.not_held();
        if !properties.is_empty() {
            return Err(RuleFault::CannotEvaluate { properties });
        }
        let node = if predicate.is_about_devices() {
            // No mail recipient is a device, whatever the rule says of one.
            Node::Constant(false)
        } else {
            Node::prepare(&predicate, options)?
        };
        Ok(Self {
            predicate,
            widened: None,
            node,
            scope: None,
            warnings: Vec::new(),
        })
    }

    /// The predicate as written.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// The predicate that is evaluated: the written one, or the one in which remote mailboxes are user mailboxes.
    /// An explanation shows its clauses.
    pub fn evaluated(&self) -> &Predicate {
        self.widened.as_ref().unwrap_or(&self.predicate)
    }

    /// True if `remote_mailboxes_match_user_mailbox` makes a difference to this rule.
    pub fn is_widened(&self) -> bool {
        self.widened.is_some()
    }

    /// What an administrator should look at again.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The prepared condition, for planners; the gates of [`CompiledRule::matches`] are not part of it.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The container that objects must lie in.
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// Attributes the filter reads, each once; a change of any other cannot change the answer.
    pub fn attributes(&self) -> Vec<Attribute> {
        let mut all = Vec::new();
        self.node.each_test(&mut |test| all.push(test.attribute()));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Groups whose members the filter asks for, each once.
    pub fn groups_asked(&self) -> Vec<&GroupAsked> {
        let mut all = Vec::new();
        self.node.each_test(&mut |test| {
            if let Some(group) = test.group()
                && !all.contains(&group)
            {
                all.push(group);
            }
        });
        all
    }

    /// True if the filter asks whether an object is in any group at all (`MemberOfGroup -ne $null`).
    pub fn asks_any_membership(&self) -> bool {
        let mut asks = false;
        self.node.each_test(&mut |test| asks |= test.asks_any_membership());
        asks
    }

    /// True if the verdict on an object may change as time goes by.
    pub fn depends_on_now(&self) -> bool {
        let mut depends = false;
        self.node.each_test(&mut |test| depends |= test.depends_on_now());
        depends
    }

    /// True if the object is a member.
    pub fn matches(&self, recipient: &RecipientObject, context: &dyn EvaluationContext) -> bool {
        Gate::ALL.iter().all(|gate| gate.holds(self, recipient)) && self.node.holds(recipient, context)
    }

    /// Why the object is a member or not: every gate, then every clause of the filter.
    pub fn explain(&self, recipient: &RecipientObject, context: &dyn EvaluationContext) -> Explanation {
        let gates: Vec<(Gate, bool)> = Gate::ALL
            .iter()
            .map(|gate| (*gate, gate.holds(self, recipient)))
            .collect();
        let mut clauses = Vec::new();
        let filter = self.node.explain(recipient, context, 0, &mut clauses);
        let verdict = filter && gates.iter().all(|(_, holds)| *holds);
        Explanation {
            verdict,
            gates,
            clauses,
        }
    }
}

/// What an object must be before the filter is asked.
///
/// A dynamic group contains mail-enabled recipients of the organisation only; disabled accounts, hidden
/// recipients, rooms and other groups belong to it unless the filter says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Not deleted.
    Live,
    /// Has an alias (mailNickname).
    Alias,
    /// Is none of Exchange's own mailboxes, by kind or name.
    NoSystemMailbox,
    /// Lies in the container of the rule.
    Container,
}

impl Gate {
    const ALL: [Self; 4] = [Self::Live, Self::Alias, Self::NoSystemMailbox, Self::Container];

    fn holds(self, rule: &CompiledRule, recipient: &RecipientObject) -> bool {
        match self {
            Self::Live => recipient.is_live(),
            Self::Alias => recipient.alias.as_deref().is_some_and(|alias| !alias.is_empty()),
            Self::NoSystemMailbox => !recipient.kind.is_system() && !is_system_name(recipient.name()),
            Self::Container => rule.scope.as_ref().is_none_or(|scope| scope.contains(recipient)),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Live => "is not deleted",
            Self::Alias => "has an alias",
            Self::NoSystemMailbox => "is no system mailbox",
            Self::Container => "lies in the container",
        })
    }
}

/// Why an object is a member or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub verdict: bool,
    pub gates: Vec<(Gate, bool)>,
    pub clauses: Vec<Clause>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (gate, holds) in &self.gates {
            writeln!(out, "{} {gate}", if *holds { "yes" } else { "no " })?;
        }
        for clause in &self.clauses {
            writeln!(out, "{clause}")?;
        }
        out.write_str(if self.verdict { "member" } else { "not a member" })
    }
}
