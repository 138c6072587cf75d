//! Answers about rules, in force or only thought of, against one pinned view. Pure.

use roaring::RoaringBitmap;

use super::groups::Groups;
use crate::admin::answer::{
    Inexpressible, PlanStep, RuleAnswer, RuleFinding, RuleLint, RulePlan, RulePreview, RuleText, Severity,
};
use crate::admin::command::{PreviewQuestion, PrintLanguage, RuleCommand, RuleLanguage, RuleQuestion};
use crate::admin::service::{Refusal, RefusalKind};
use crate::directory::Ordinal;
use crate::directory::filter::guess::guess;
use crate::directory::filter::lint::{Finding, Inspection, inspect};
use crate::directory::filter::plan::{self, PlanOptions};
use crate::directory::filter::rule::{CompiledRule, RuleFault};
use crate::directory::filter::tail::{self, TailVersion};
use crate::directory::filter::{convert, english};
use crate::directory::group::{DynamicRule, FilterLanguage, RuleCondition};
use crate::rolls::roll::Entries;

/// A rule that was asked about.
pub(super) struct Asked {
    /// Its group.
    pub group: Option<Ordinal>,
    /// Primary address of the group.
    pub address: Option<String>,
    /// The rule.
    pub rule: DynamicRule,
}

impl Asked {
    pub(super) fn text(&self) -> String {
        text_of(&self.rule)
    }

    fn language(&self) -> FilterLanguage {
        match &self.rule.condition {
            RuleCondition::Custom { language, .. } => *language,
            RuleCondition::Precanned(_) => FilterLanguage::Opath,
        }
    }

    fn container(&self) -> Option<String> {
        self.rule.recipient_container.as_deref().map(str::to_owned)
    }
}

/// A rule's filter as written; a precanned one as Exchange would store it.
pub(super) fn text_of(rule: &DynamicRule) -> String {
    match &rule.condition {
        RuleCondition::Custom { text, .. } => text.to_string(),
        RuleCondition::Precanned(precanned) => precanned.text(),
    }
}

impl Groups<'_> {
    /// Answers a question about a rule; `saved` says whether the rule of a preview is in force by now.
    pub fn rule(&self, command: &RuleCommand) -> Result<RuleAnswer, Refusal> {
        Ok(match command {
            RuleCommand::GroupPreview(question) => RuleAnswer::GroupPreview(self.preview(question)?),
            RuleCommand::GroupFilter { rule, language } => RuleAnswer::GroupFilter(self.filter(rule, *language)?),
            RuleCommand::GroupPlan { rule } => RuleAnswer::GroupPlan(self.plan(rule)?),
            RuleCommand::GroupLint { group } => RuleAnswer::GroupLint(self.lint(group.as_deref())?),
            RuleCommand::GroupPropose { group } => RuleAnswer::GroupPropose(self.propose(group)?),
        })
    }

    /// The rule of a group, or the text of the question with the group's container and comparison.
    pub(super) fn asked(&self, question: &RuleQuestion) -> Result<Asked, Refusal> {
        let group = question.group.as_deref().map(|name| self.group(name)).transpose()?;
        let own = group
            .as_ref()
            .and_then(|(_, group)| group.group.as_deref())
            .and_then(|settings| settings.rule.as_deref())
            .cloned();
        let address = group.as_ref().map(|(_, group)| group.primary.to_string());
        let rule = match (&question.filter, own) {
            (Some(text), own) => DynamicRule {
                condition: RuleCondition::Custom {
                    language: match question.language {
                        Some(language) => filter_language(language),
                        // Exchange's language if there is nothing to go by: its reader says what is wrong.
                        None => guess(text).unwrap_or_default(),
                    },
                    text: text.as_str().into(),
                },
                recipient_container: match &question.container {
                    Some(container) => Some(container.as_str().into()),
                    None => own.as_ref().and_then(|rule| rule.recipient_container.clone()),
                },
                comparison: own.as_ref().and_then(|rule| rule.comparison),
                remote_mailboxes_match_user_mailbox: own.is_some_and(|rule| rule.remote_mailboxes_match_user_mailbox),
            },
            (None, Some(own)) => own,
            (None, None) => {
                let text = match address {
                    Some(address) => format!("{address} has no rule: its members are listed; give one with --filter"),
                    None => "name a group, or give a rule with --filter".to_owned(),
                };
                return Err(Refusal::new(RefusalKind::Usage, text));
            }
        };
        Ok(Asked {
            group: group.map(|(ordinal, _)| ordinal),
            address,
            rule,
        })
    }

    pub(super) fn compiled(&self, rule: &DynamicRule) -> Result<CompiledRule, Refusal> {
        CompiledRule::compile(rule, self.options).map_err(|fault| refused(&fault))
    }

    /// Everybody the rule reaches.
    pub(super) fn reached(&self, rule: &CompiledRule) -> RoaringBitmap {
        plan::evaluate(&self.view.directory, rule, &PlanOptions::alone(self.now))
    }

    /// The list a rule gives, with the group's pins.
    fn with_pins(&self, group: Ordinal, reached: RoaringBitmap) -> RoaringBitmap {
        let list = Entries::new(reached, Vec::new(), Vec::new());
        self.pins(group).apply(&list).objects.to_set()
    }

    fn preview(&self, question: &PreviewQuestion) -> Result<RulePreview, Refusal> {
        let asked = self.asked(&question.rule)?;
        let compiled = self.compiled(&asked.rule)?;
        let reached = self.reached(&compiled);
        let (before, after) = match asked.group {
            Some(group) => {
                let before = self.view.roll(group).map(|roll| roll.entries.objects.to_set());
                (before, self.with_pins(group, reached))
            }
            None => (None, reached),
        };
        let (joining, leaving) = match &before {
            Some(before) => (&after - before, before - &after),
            None => (after.clone(), RoaringBitmap::new()),
        };
        let sample = |set: &RoaringBitmap| self.addresses(set.iter().take(question.sample_max as usize));
        Ok(RulePreview {
            language: asked.language().word().to_owned(),
            filter: asked.text(),
            english: english::describe(compiled.predicate()),
            container: asked.container(),
            count: after.len(),
            before: before.as_ref().map(RoaringBitmap::len),
            joins: joining.len(),
            leaves: leaving.len(),
            joining: sample(&joining),
            leaving: sample(&leaving),
            findings: self.findings(&asked, &compiled),
            group: asked.address,
            saved: false,
            held: false,
        })
    }

    fn filter(&self, question: &RuleQuestion, language: PrintLanguage) -> Result<RuleText, Refusal> {
        let asked = self.asked(question)?;
        let compiled = self.compiled(&asked.rule)?;
        let split = tail::split(compiled.predicate());
        let to = |language| convert::to(&split.core, asked.language(), language, self.options);
        let said = match language {
            PrintLanguage::English => Ok(english::describe(compiled.predicate())),
            PrintLanguage::Opath => to(FilterLanguage::Opath),
            PrintLanguage::Ldap => to(FilterLanguage::Ldap),
            PrintLanguage::Entra => to(FilterLanguage::Entra),
        };
        let (text, inexpressible) = match said {
            Ok(text) => (Some(text), Vec::new()),
            Err(clauses) => (None, clauses),
        };
        Ok(RuleText {
            from: asked.language().word().to_owned(),
            language: print_word(language).to_owned(),
            text,
            inexpressible: inexpressible
                .into_iter()
                .map(|clause| Inexpressible {
                    clause: clause.clause,
                    why: clause.why,
                })
                .collect(),
            exclusions: split.tails.iter().map(|tail| tail_words(*tail).to_owned()).collect(),
            container: asked.container(),
            group: asked.address,
        })
    }

    fn plan(&self, question: &RuleQuestion) -> Result<RulePlan, Refusal> {
        let asked = self.asked(question)?;
        let compiled = self.compiled(&asked.rule)?;
        let described = plan::describe(&self.view.directory, &compiled, &PlanOptions::alone(self.now));
        Ok(RulePlan {
            filter: asked.text(),
            container: asked.container(),
            steps: described
                .lines
                .into_iter()
                .map(|line| PlanStep {
                    clause: line.text,
                    depth: line.depth as u64,
                    served: line.served.to_string(),
                    rows: line.rows,
                })
                .collect(),
            candidates: described.candidates,
            count: described.rows,
            group: asked.address,
        })
    }

    fn lint(&self, name: Option<&str>) -> Result<Vec<RuleLint>, Refusal> {
        let asked: Vec<Asked> = match name {
            Some(name) => vec![self.asked(&RuleQuestion {
                group: Some(name.to_owned()),
                ..RuleQuestion::default()
            })?],
            None => self.dynamic_groups(),
        };
        let mut all: Vec<RuleLint> = asked.iter().map(|asked| self.linted(asked)).collect();
        all.sort_by(|a, b| a.group.cmp(&b.group));
        Ok(all)
    }

    /// Every dynamic group with its rule.
    fn dynamic_groups(&self) -> Vec<Asked> {
        let groups = self.view.directory.groups();
        groups
            .filter_map(|(ordinal, group)| {
                let rule = group.group.as_deref()?.rule.as_deref()?;
                Some(Asked {
                    group: Some(ordinal),
                    address: Some(group.primary.to_string()),
                    rule: rule.clone(),
                })
            })
            .collect()
    }

    fn linted(&self, asked: &Asked) -> RuleLint {
        let mut lint = RuleLint {
            group: asked.address.clone().unwrap_or_default(),
            filter: asked.text(),
            ..RuleLint::default()
        };
        match CompiledRule::compile(&asked.rule, self.options) {
            Ok(compiled) => {
                lint.count = Some(self.reached(&compiled).len());
                lint.findings = self.findings(asked, &compiled);
            }
            Err(fault) => lint.findings.push(RuleFinding {
                severity: Severity::Error,
                code: "cannot-evaluate".to_owned(),
                clause: None,
                message: fault.to_string(),
                proposal: None,
                count_now: None,
                count_proposed: None,
            }),
        }
        lint
    }

    /// What the reader of the text and the directory say about a rule.
    fn findings(&self, asked: &Asked, compiled: &CompiledRule) -> Vec<RuleFinding> {
        let found = inspect(&Inspection {
            directory: &self.view.directory,
            rule: &asked.rule,
            compiled,
            group: asked.group.and_then(|group| self.view.group(group)),
            options: self.options,
            plan: PlanOptions::alone(self.now),
        });
        found.into_iter().map(finding).collect()
    }
}

fn finding(found: Finding) -> RuleFinding {
    RuleFinding {
        severity: Severity::Warning,
        code: found.code.word().to_owned(),
        clause: found.clause,
        message: found.message,
        proposal: found.proposal,
        count_now: Some(found.count_now),
        count_proposed: found.count_proposed,
    }
}

/// A rule that cannot judge is wrong use: the text says where and why.
fn refused(fault: &RuleFault) -> Refusal {
    let text = match fault {
        RuleFault::Filter(error) => error.render(),
        other => other.to_string(),
    };
    Refusal::new(RefusalKind::Usage, text)
}

fn filter_language(language: RuleLanguage) -> FilterLanguage {
    match language {
        RuleLanguage::Opath => FilterLanguage::Opath,
        RuleLanguage::Ldap => FilterLanguage::Ldap,
        RuleLanguage::Entra => FilterLanguage::Entra,
    }
}

const fn print_word(language: PrintLanguage) -> &'static str {
    match language {
        PrintLanguage::Opath => "opath",
        PrintLanguage::Ldap => "ldap",
        PrintLanguage::Entra => "entra",
        PrintLanguage::English => "english",
    }
}

fn tail_words(version: TailVersion) -> &'static str {
    match version {
        TailVersion::Exchange2010 => "Exchange 2010",
        TailVersion::Exchange2013 => "Exchange 2013 or later",
        TailVersion::Online => "Exchange Online",
        TailVersion::OnlineWithoutGuests => "Exchange Online (guests are no members)",
        TailVersion::Other => "an Exchange of unknown version",
    }
}
