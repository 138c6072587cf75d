//! Answers about rules, in force or only thought of, against one pinned view. Pure.

use roaring::RoaringBitmap;

use super::groups::Groups;
use crate::admin::answer::{RuleAnswer, RuleFinding, RulePreview, Severity};
use crate::admin::command::{PreviewQuestion, RuleCommand, RuleLanguage, RuleQuestion};
use crate::admin::service::{Refusal, RefusalKind};
use crate::directory::Ordinal;
use crate::directory::filter::lint::Warning;
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::rule::{CompiledRule, RuleFault};
use crate::directory::group::{DynamicRule, FilterLanguage, RuleCondition};

/// A rule that was asked about.
struct Asked {
    /// Its group.
    group: Option<Ordinal>,
    /// Primary address of the group.
    address: Option<String>,
    /// The rule.
    rule: DynamicRule,
}

impl Asked {
    fn text(&self) -> String {
        match &self.rule.condition {
            RuleCondition::Custom { text, .. } => text.to_string(),
            RuleCondition::Precanned(precanned) => precanned.text(),
        }
    }

    fn container(&self) -> Option<String> {
        self.rule.recipient_container.as_deref().map(str::to_owned)
    }
}

impl Groups<'_> {
    /// Answers a question about a rule.
    pub fn rule(&self, command: &RuleCommand) -> Result<RuleAnswer, Refusal> {
        Ok(match command {
            RuleCommand::GroupPreview(question) => RuleAnswer::GroupPreview(self.preview(question)?),
        })
    }

    /// The rule of a group, or the text of the question with the group's container and comparison.
    fn asked(&self, question: &RuleQuestion) -> Result<Asked, Refusal> {
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
                    language: FilterLanguage::Opath,
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
}

impl Groups<'_> {
    fn compiled(&self, rule: &DynamicRule) -> Result<CompiledRule, Refusal> {
        CompiledRule::compile(rule, self.options).map_err(|fault| refused(&fault))
    }

    /// Everybody the rule reaches.
    fn reached(&self, rule: &CompiledRule) -> RoaringBitmap {
        let context = DirectMembers::for_rule(&self.view.directory, rule, self.now);
        let matching = self
            .view
            .directory
            .recipients()
            .filter(|(_, object)| rule.matches(object, &context));
        matching.map(|(ordinal, _)| ordinal.0).collect()
    }

    fn preview(&self, question: &PreviewQuestion) -> Result<RulePreview, Refusal> {
        let asked = self.asked(&question.rule)?;
        let compiled = self.compiled(&asked.rule)?;
        let after = self.reached(&compiled);
        let before = asked
            .group
            .and_then(|group| self.view.roll(group))
            .map(|roll| (*roll.entries.objects).clone());
        let (joining, leaving) = match (&before, asked.group) {
            (Some(before), _) => (&after - before, before - &after),
            (None, _) => (after.clone(), RoaringBitmap::new()),
        };
        let sample = |set: &RoaringBitmap| self.addresses(set.iter().take(question.sample_max as usize));
        Ok(RulePreview {
            language: RuleLanguage::Opath.word().to_owned(),
            filter: asked.text(),
            container: asked.container(),
            count: after.len(),
            before: before.as_ref().map(RoaringBitmap::len),
            joins: joining.len(),
            leaves: leaving.len(),
            joining: sample(&joining),
            leaving: sample(&leaving),
            findings: compiled.warnings().iter().map(finding).collect(),
            group: asked.address,
        })
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

fn finding(warning: &Warning) -> RuleFinding {
    RuleFinding {
        severity: Severity::Warning,
        code: "filter-text".to_owned(),
        clause: None,
        message: warning.to_string(),
        proposal: None,
        count_now: None,
        count_proposed: None,
    }
}
