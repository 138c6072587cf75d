//! A rule looked at with the directory beside it.
//!
//! In: a compiled rule, the directory, the group it belongs to. Out: findings with what to write instead and how many
//! it reaches then; every proposal was evaluated. Never: changes anything; a proposal that the rule's own language
//! cannot say.
//!
//! Cost: each clause once by plan, two more evaluations per finding; at most [`FINDINGS_MAX`] findings.

use roaring::RoaringBitmap;

use super::contradiction::contradictions;
use super::finding::{Finding, FindingCode};
use super::leaf::{Leaf, leaves, replaced};
use super::spelling::{self, Variant};
use super::{Warning, WarningKind, readings};
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::directory::filter::operator::Operator;
use crate::directory::filter::plan::{self, PlanOptions};
use crate::directory::filter::predicate::{Comparison, Literal, Predicate};
use crate::directory::filter::{CompiledRule, EvaluationOptions, convert, remote, tail};
use crate::directory::generation::Directory;
use crate::directory::group::{ComparisonProfile, DynamicRule, FilterLanguage, RuleCondition};
use crate::directory::recipient::RecipientObject;
use crate::directory::value::ValueType;

/// Most findings about one rule; a filter with more has one cause.
pub const FINDINGS_MAX: usize = 64;

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Inspection<'a> {
    pub directory: &'a Directory,
    /// The rule as stated, and as compiled from it.
    pub rule: &'a DynamicRule,
    pub compiled: &'a CompiledRule,
    /// The group it belongs to; none for a rule that is only tried.
    pub group: Option<&'a RecipientObject>,
    pub options: &'a EvaluationOptions,
    pub plan: PlanOptions,
}

/// Looks at a rule.
pub fn inspect(inspection: &Inspection<'_>) -> Vec<Finding> {
    let bench = Bench::new(inspection);
    let mut findings = Vec::new();
    bench.clauses(&mut findings);
    bench.migrated(&mut findings);
    for (one, other) in contradictions(inspection.compiled.predicate(), bench.options.comparison) {
        let message = format!("nobody can also have {other}; either of the two needs -or");
        findings.push(bench.plain(FindingCode::Contradiction, Some(one.to_string()), message));
    }
    bench.container(&mut findings);
    bench.warnings(&mut findings);
    findings.truncate(FINDINGS_MAX);
    findings
}

/// A rule with what is needed to evaluate its variants.
struct Bench<'a> {
    asked: &'a Inspection<'a>,
    language: FilterLanguage,
    options: EvaluationOptions,
    /// Whom the rule could reach at all: candidates in its container.
    everybody: RoaringBitmap,
    /// Whom it reaches.
    now: u64,
}

impl<'a> Bench<'a> {
    fn new(asked: &'a Inspection<'a>) -> Self {
        let language = match &asked.rule.condition {
            RuleCondition::Custom { language, .. } => *language,
            RuleCondition::Precanned(_) => FilterLanguage::Opath,
        };
        let profile = match language {
            FilterLanguage::Entra => ComparisonProfile::Cloud,
            FilterLanguage::Opath | FilterLanguage::Ldap => asked.options.comparison,
        };
        let options = EvaluationOptions {
            comparison: asked.rule.comparison.unwrap_or(profile),
            ..asked.options.clone()
        };
        let everybody_text = match language {
            FilterLanguage::Opath | FilterLanguage::Ldap => (FilterLanguage::Opath, "Alias -ne $null"),
            FilterLanguage::Entra => (FilterLanguage::Entra, "user.objectId -ne null"),
        };
        let everybody = DynamicRule {
            condition: RuleCondition::Custom {
                language: everybody_text.0,
                text: everybody_text.1.into(),
            },
            ..asked.rule.clone()
        };
        let everybody = CompiledRule::compile(&everybody, asked.options)
            .map(|rule| plan::evaluate(asked.directory, &rule, &asked.plan))
            .unwrap_or_default();
        Self {
            asked,
            language,
            options,
            everybody,
            now: plan::evaluate(asked.directory, asked.compiled, &asked.plan).len(),
        }
    }

    fn predicate(&self) -> &'a Predicate {
        self.asked.compiled.predicate()
    }

    /// Rows of several predicates within what the rule could reach; none for one that cannot be evaluated.
    fn rows(&self, predicates: &[Predicate]) -> Vec<Option<RoaringBitmap>> {
        let rules: Vec<Option<CompiledRule>> = predicates
            .iter()
            .map(|predicate| {
                let predicate = if self.asked.rule.remote_mailboxes_match_user_mailbox {
                    remote::widened(predicate)
                } else {
                    predicate.clone()
                };
                CompiledRule::of_predicate(predicate, &self.options).ok()
            })
            .collect();
        let compiled: Vec<&CompiledRule> = rules.iter().flatten().collect();
        let mut evaluated = plan::evaluate_all(self.asked.directory, &compiled, &self.asked.plan).into_iter();
        rules
            .iter()
            .map(|rule| {
                rule.as_ref()
                    .and_then(|_| evaluated.next())
                    .map(|rows| rows & &self.everybody)
            })
            .collect()
    }

    fn count(&self, predicate: &Predicate) -> Option<u64> {
        self.rows(std::slice::from_ref(predicate))
            .pop()
            .flatten()
            .map(|rows| rows.len())
    }

    /// A finding whose proposal is this predicate.
    fn proposing(&self, code: FindingCode, clause: Option<String>, message: String, instead: &Predicate) -> Finding {
        Finding {
            code,
            clause,
            message,
            proposal: convert::to(instead, self.language, self.language, &self.options).ok(),
            count_now: self.now,
            count_proposed: self.count(instead),
        }
    }

    fn plain(&self, code: FindingCode, clause: Option<String>, message: String) -> Finding {
        Finding {
            code,
            clause,
            message,
            proposal: None,
            count_now: self.now,
            count_proposed: None,
        }
    }

    /// Every clause by itself: whom it finds, and whom it was probably meant to find.
    fn clauses(&self, findings: &mut Vec<Finding>) {
        if self.everybody.is_empty() {
            return;
        }
        let has_tail = !tail::split(self.predicate()).tails.is_empty();
        let all: Vec<Leaf<'_>> = leaves(self.predicate())
            .into_iter()
            .filter(|leaf| !(has_tail && is_of_tail(leaf)))
            .collect();
        let positive: Vec<Predicate> = all.iter().map(Leaf::positive).collect();
        for (leaf, rows) in all.iter().zip(self.rows(&positive)) {
            let Some(rows) = rows else { continue };
            if findings.len() >= FINDINGS_MAX {
                return;
            }
            let found_before = findings.len();
            self.identifier(leaf, findings);
            if findings.len() == found_before {
                self.spelling(leaf, rows.is_empty(), findings);
            }
            if findings.len() == found_before {
                self.extent(leaf, &rows, findings);
            }
        }
    }

    fn extent(&self, leaf: &Leaf<'_>, rows: &RoaringBitmap, findings: &mut Vec<Finding>) {
        let clause = Some(leaf.comparison.to_string());
        // Exchange writes the presence of an alias into every filter.
        let is_alias = leaf.attribute() == Some(Attribute::Alias) && leaf.comparison.literal == Literal::Null;
        if rows.is_empty() && !is_alias {
            let message = if leaf.excludes {
                "nobody has this, so the clause excludes nobody"
            } else {
                "nobody has this"
            };
            findings.push(self.plain(FindingCode::MatchesNobody, clause, message.into()));
        } else if *rows == self.everybody && !is_alias {
            let message = if leaf.excludes {
                "everybody has this, so the clause excludes everybody"
            } else {
                "everybody has this, so the clause says nothing"
            };
            findings.push(self.plain(FindingCode::MatchesEverybody, clause, message.into()));
        }
    }

    /// A name, an address or a canonical name where only a DN finds somebody.
    fn identifier(&self, leaf: &Leaf<'_>, findings: &mut Vec<Finding>) {
        let (Some(attribute), Some(text)) = (leaf.attribute(), leaf.equal_text()) else {
            return;
        };
        let takes_dn = matches!(attribute.value_type(), ValueType::Dn | ValueType::Dns);
        if !takes_dn || text.is_empty() || DistinguishedName::parse(text).is_some() {
            return;
        }
        let clause = Some(leaf.comparison.to_string());
        let directory = self.asked.directory;
        let meant = directory.lookup_reference(text).one();
        let meant = meant.and_then(|ordinal| directory.recipient(ordinal));
        match meant.as_ref().and_then(|object| object.distinguished_name.as_deref()) {
            Some(dn) => {
                let instead = replaced(self.predicate(), &|place, _| {
                    (place == leaf.place).then(|| leaf.with_text(dn))
                });
                let message = format!("{attribute} takes a distinguished name; {text} is {dn}");
                findings.push(self.proposing(FindingCode::WrongIdentifier, clause, message, &instead));
            }
            None => {
                let message = format!("{attribute} takes a distinguished name, and nobody here is called {text}");
                findings.push(self.plain(FindingCode::WrongIdentifier, clause, message));
            }
        }
    }

    fn spelling(&self, leaf: &Leaf<'_>, matches_nobody: bool, findings: &mut Vec<Finding>) {
        let (Some(attribute), Some(text)) = (leaf.attribute(), leaf.equal_text()) else {
            return;
        };
        if !matches!(attribute.value_type(), ValueType::Text | ValueType::Texts) || text.is_empty() {
            return;
        }
        let profile = self.options.comparison;
        let directory = self.asked.directory;
        let variants = spelling::variants(directory, attribute, text, profile, &self.everybody, matches_nobody);
        if variants.is_empty() {
            return;
        }
        let told: Vec<String> = variants
            .iter()
            .map(|each| format!("{} {:?} ({})", people(each.people), each.value, each.difference.words()))
            .collect();
        let also = if matches_nobody {
            "nobody has this value;"
        } else {
            "others have nearly the same:"
        };
        let instead = replaced(self.predicate(), &|place, comparison| {
            (place == leaf.place).then(|| any_spelling(comparison, text, matches_nobody, &variants))
        });
        let message = format!("{also} {}", told.join(", "));
        let clause = Some(leaf.comparison.to_string());
        findings.push(self.proposing(FindingCode::OtherSpelling, clause, message, &instead));
    }

    /// Clauses that only mailboxes on premises pass.
    fn migrated(&self, findings: &mut Vec<Finding>) {
        let setting_is_on = self.asked.rule.remote_mailboxes_match_user_mailbox;
        let (places, losing): (Vec<usize>, Vec<String>) = leaves(self.predicate())
            .iter()
            .filter(|leaf| !leaf.excludes && loses_migrated(leaf, setting_is_on))
            .map(|leaf| (leaf.place, leaf.comparison.to_string()))
            .unzip();
        let is_setting = |leaf: &Leaf<'_>| places.contains(&leaf.place) && remote::is_widened(leaf.comparison);
        if places.is_empty() {
            return;
        }
        let instead = replaced(self.predicate(), &|place, comparison| {
            places.contains(&place).then(|| {
                let moved = remote::REMOTE_MAILBOXES.iter().map(|kind| {
                    let name = kind.recipient_type_details();
                    let text = match self.language {
                        // LDAP knows types by number.
                        FilterLanguage::Ldap => kind.recipient_type_details_value().unwrap_or(0).to_string(),
                        FilterLanguage::Opath | FilterLanguage::Entra => name.to_owned(),
                    };
                    Predicate::compare(Attribute::RecipientTypeDetails, Operator::Eq, &text)
                });
                let written = Predicate::Compare(comparison.clone());
                Predicate::Or(std::iter::once(written).chain(moved).collect())
            })
        });
        let Some(lost) = self
            .count(&instead)
            .and_then(|then| then.checked_sub(self.now))
            .filter(|lost| *lost > 0)
        else {
            return;
        };
        let setting = if leaves(self.predicate()).iter().any(is_setting) {
            "; the setting remote_mailboxes_match_user_mailbox of the source does the same for all its rules"
        } else {
            ""
        };
        let message = format!("{} that moved to the cloud are not found{setting}", mailboxes(lost));
        let clause = Some(losing.join(", "));
        findings.push(self.proposing(FindingCode::LosesMigrated, clause, message, &instead));
    }

    /// A container that holds nobody the filter finds.
    fn container(&self, findings: &mut Vec<Finding>) {
        let Some(container) = self.asked.rule.recipient_container.as_deref() else {
            return;
        };
        if self.now > 0 {
            return;
        }
        let without = DynamicRule {
            recipient_container: None,
            ..self.asked.rule.clone()
        };
        let Ok(without) = CompiledRule::compile(&without, self.asked.options) else {
            return;
        };
        let elsewhere = plan::evaluate(self.asked.directory, &without, &self.asked.plan).len();
        if elsewhere == 0 {
            return;
        }
        let own = self.asked.group.and_then(|group| group.distinguished_name.as_deref());
        let own = own
            .and_then(DistinguishedName::parent_of)
            .and_then(DistinguishedName::parse);
        let is_own = own.is_some() && own == DistinguishedName::parse(container);
        let default = if is_own {
            ", the one the group lies in, which Exchange takes where nobody names one"
        } else {
            ""
        };
        findings.push(Finding {
            count_proposed: Some(elsewhere),
            ..self.plain(
                FindingCode::ContainerTrap,
                None,
                format!("nobody the filter finds lies in {container}{default}; name the container people lie in"),
            )
        });
    }

    /// What the reader of the text said, as findings.
    fn warnings(&self, findings: &mut Vec<Finding>) {
        for warning in self.asked.compiled.warnings() {
            let code = match warning.kind {
                WarningKind::MixedPrecedence => {
                    findings.push(self.two_readings(warning));
                    continue;
                }
                WarningKind::UnexpandedVariable => FindingCode::UnexpandedVariable,
                WarningKind::QuestionMark => FindingCode::QuestionMark,
                WarningKind::MiddleWildcard => FindingCode::MiddleWildcard,
                WarningKind::LeadingWildcard => FindingCode::LeadingWildcard,
                // Said above, with what was meant.
                WarningKind::NotADistinguishedName(_) => continue,
                _ => FindingCode::FilterText,
            };
            findings.push(self.plain(code, None, warning.to_string()));
        }
    }

    /// Both readings of a filter without enough parentheses.
    fn two_readings(&self, warning: &Warning) -> Finding {
        let as_read = self.proposing(
            FindingCode::MixedPrecedence,
            None,
            warning.to_string(),
            self.predicate(),
        );
        let RuleCondition::Custom {
            language: FilterLanguage::Opath,
            text,
        } = &self.asked.rule.condition
        else {
            return as_read;
        };
        let other = crate::directory::filter::opath::parse(&readings::left_to_right(text)).ok();
        match other.and_then(|parsed| self.count(&parsed.predicate)) {
            Some(count) => Finding {
                message: format!(
                    "{warning}; read from left to right, as PowerShell does, it reaches {count} instead of {}",
                    self.now
                ),
                ..as_read
            },
            None => as_read,
        }
    }
}

fn is_of_tail(leaf: &Leaf<'_>) -> bool {
    leaf.excludes
        && matches!(
            leaf.attribute(),
            Some(Attribute::Name | Attribute::CommonName | Attribute::RawName | Attribute::RecipientTypeDetails)
        )
}

fn loses_migrated(leaf: &Leaf<'_>, setting_is_on: bool) -> bool {
    if setting_is_on && remote::is_widened(leaf.comparison) {
        return false;
    }
    let asks_value = leaf.comparison.literal != Literal::Null || leaf.comparison.operator == Operator::Ne;
    match leaf.attribute() {
        Some(Attribute::RecipientType) => leaf
            .equal_text()
            .is_some_and(|text| text.eq_ignore_ascii_case("UserMailbox")),
        Some(Attribute::ServerLegacyDN | Attribute::Database | Attribute::ServerName) => asks_value,
        _ => false,
    }
}

/// The comparison with all spellings, or with the one that was meant.
fn any_spelling(comparison: &Comparison, asked: &str, matches_nobody: bool, variants: &[Variant]) -> Predicate {
    let with = |text: &str| {
        Predicate::Compare(Comparison {
            operator: Operator::Eq,
            literal: Literal::Text(text.into()),
            ..comparison.clone()
        })
    };
    let spelled = variants.iter().map(|each| with(&each.value));
    let mut all: Vec<Predicate> = if matches_nobody {
        spelled.collect()
    } else {
        std::iter::once(with(asked)).chain(spelled).collect()
    };
    let any = if all.len() == 1 {
        all.remove(0)
    } else {
        Predicate::Or(all)
    };
    if comparison.operator.is_negative() {
        Predicate::Not(Box::new(any))
    } else {
        any
    }
}

fn people(count: u64) -> String {
    if count == 1 {
        "1 has".into()
    } else {
        format!("{count} have")
    }
}

fn mailboxes(count: u64) -> String {
    if count == 1 {
        "1 mailbox".into()
    } else {
        format!("{count} mailboxes")
    }
}
