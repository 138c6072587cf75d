//! The rule of a dynamic group: from the texts of an export to one that is judged here.
//!
//! In: a draft. Out: the rule, a row for the report, findings. Never: an exclusion dropped that is not built in; a
//! filter that cannot be read taken for one that matches nobody: it is kept, and mail for the group waits.

use super::cells::{At, Draft, Side};
use super::convert;
use super::raw::RawValue;
use super::report::{Code, DynamicGroup, Finding, Outcome};
use crate::connectors::files::property::Property as P;
use crate::directory::attribute::{Attribute, Property};
use crate::directory::filter::operator::Operator;
use crate::directory::filter::precanned::{ConditionalCustomAttribute, IncludedRecipients, Precanned};
use crate::directory::filter::predicate::Predicate;
use crate::directory::filter::tail::{TailVersion, split};
use crate::directory::filter::{CompiledRule, EvaluationOptions, RuleFault, ldap, opath, parse_in, remote};
use crate::directory::group::{ComparisonProfile, DynamicRule, FilterLanguage, RuleCondition};

/// What became of a rule.
#[derive(Debug)]
pub struct Converted {
    /// The rule; `None` if the export states none.
    pub rule: Option<DynamicRule>,
    /// The group's row; counts of members are filled in later.
    pub row: DynamicGroup,
    /// What to look at.
    pub findings: Vec<Finding>,
}

/// Where the rule of a draft is stated.
struct Stated {
    text: String,
    at: At,
    is_ldap: bool,
}

/// Converts the rule of a dynamic group.
#[must_use]
pub fn convert_rule(draft: &Draft, address: &str, file_name: &dyn Fn(usize) -> String) -> Converted {
    let mut conversion = Conversion {
        row: DynamicGroup {
            address: address.to_owned(),
            name: draft.text(P::DisplayName).unwrap_or_else(|| address.to_owned()),
            outcome: Outcome::Converted,
            original: String::new(),
            filter: String::new(),
            tails: Vec::new(),
            container: container(draft),
            members: None,
            members_with_remote: None,
            notes: Vec::new(),
        },
        findings: Vec::new(),
        address,
        file_name,
    };
    let stated = stated(draft);
    let precanned = precanned(draft);
    if let Some(stated) = &stated {
        conversion.row.original.clone_from(&stated.text);
    }
    let condition = match (stated, precanned) {
        (None, None) => {
            let message = "neither a filter nor conditions are in these files";
            let finding = Finding::new(Code::FilterRefused, message)
                .propose("export the group with Get-DynamicDistributionGroup, all properties");
            conversion.refuse(finding, draft.at);
            None
        }
        (None, Some(precanned)) => Some(conversion.of_precanned(precanned)),
        (Some(stated), None) => Some(conversion.of_filter(&stated)),
        (Some(stated), Some(precanned)) => Some(conversion.of_both(&stated, precanned)),
    };
    let rule = condition.map(|condition| DynamicRule {
        condition,
        recipient_container: conversion.row.container.as_deref().map(Into::into),
        comparison: match draft.side {
            Side::OnPremises => Some(ComparisonProfile::ActiveDirectory),
            Side::Online => Some(ComparisonProfile::Cloud),
            Side::Unknown => None,
        },
        remote_mailboxes_match_user_mailbox: false,
    });
    if let Some(rule) = &rule {
        conversion.check(rule, draft.at);
    }
    Converted {
        rule,
        row: conversion.row,
        findings: conversion.findings,
    }
}

fn stated(draft: &Draft) -> Option<Stated> {
    let opath = draft.all(P::RecipientFilter).find_map(|cell| {
        let text = convert::text(&cell.value)?;
        Some(Stated {
            is_ldap: text.trim_start().starts_with("(&") || text.trim_start().starts_with("(|"),
            text,
            at: cell.at,
        })
    });
    let ldap = draft.ldap_filter.clone().filter(|(text, _)| !text.trim().is_empty());
    opath.or(ldap.map(|(text, at)| Stated {
        text,
        at,
        is_ldap: true,
    }))
}

/// A rule on its way.
struct Conversion<'a> {
    row: DynamicGroup,
    findings: Vec<Finding>,
    address: &'a str,
    file_name: &'a dyn Fn(usize) -> String,
}

impl Conversion<'_> {
    fn add(&mut self, finding: Finding, at: At) {
        let (line, column) = (bounded(at.line), bounded(at.column));
        self.findings
            .push(finding.about(self.address).at(&(self.file_name)(at.file), line, column));
    }

    fn note(&mut self, finding: Finding, at: At) {
        if self.row.outcome == Outcome::Converted {
            self.row.outcome = Outcome::ConvertedWithNotes;
        }
        self.row.notes.push(finding.message.clone());
        self.add(finding, at);
    }

    fn refuse(&mut self, finding: Finding, at: At) {
        self.row.outcome = Outcome::NotConverted;
        self.row.notes.push(finding.message.clone());
        self.add(finding, at);
    }

    fn of_precanned(&mut self, precanned: Precanned) -> RuleCondition {
        self.row.filter = precanned.text();
        RuleCondition::Precanned(precanned)
    }

    /// Exchange stores conditions as a filter as well. If both say the same, the conditions are what was meant.
    fn of_both(&mut self, stated: &Stated, precanned: Precanned) -> RuleCondition {
        if stated.is_ldap {
            return self.of_precanned(precanned);
        }
        let core = opath::parse(&stated.text).map(|parsed| split(&parsed.predicate));
        let meant = opath::parse(&precanned.text()).map(|parsed| flat(&parsed.predicate));
        match (core, meant) {
            (Ok(split), Ok(meant)) if flat(&split.core) == meant => {
                self.row.tails = split.tails.iter().map(|tail| tail_name(*tail).to_owned()).collect();
                self.of_precanned(precanned)
            }
            _ => {
                let message = "IncludedRecipients and Conditional… say something else than the stored filter; \
                               the filter was taken, because Exchange judges by it";
                let finding = Finding::new(Code::PrecannedDiffers, message)
                    .propose("compare the two in Exchange and set the group's conditions again");
                self.note(finding, stated.at);
                self.of_filter(stated)
            }
        }
    }

    fn of_filter(&mut self, stated: &Stated) -> RuleCondition {
        let language = if stated.is_ldap {
            FilterLanguage::Ldap
        } else {
            FilterLanguage::Opath
        };
        let text = stated.text.trim();
        let custom = |text: &str| RuleCondition::Custom {
            language,
            text: text.into(),
        };
        let parsed = match parse_in(language, text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let proposal = format!(
                    "mend the filter of {} and import again:\n{}",
                    self.address,
                    error.render()
                );
                let finding = Finding::new(Code::FilterRefused, format!("the filter is refused, {error}"));
                self.refuse(finding.propose(proposal), stated.at);
                text.clone_into(&mut self.row.filter);
                return custom(text);
            }
        };
        let split = split(&parsed.predicate);
        self.row.tails = split.tails.iter().map(|tail| tail_name(*tail).to_owned()).collect();
        // A tail no version is known for may exclude what is not excluded anyway: it stays.
        let core = if split.tails.is_empty() || split.tails.contains(&TailVersion::Other) {
            text.to_owned()
        } else {
            let has_guests = split.tails.contains(&TailVersion::OnlineWithoutGuests);
            let guests = || Predicate::compare(Attribute::RecipientTypeDetails, Operator::Eq, "GuestMailUser");
            let core = if has_guests {
                Predicate::And(vec![split.core, Predicate::Not(Box::new(guests()))])
            } else {
                split.core
            };
            match language {
                FilterLanguage::Ldap => {
                    ldap::print(&core, &jiff::tz::TimeZone::UTC).unwrap_or_else(|_| text.to_owned())
                }
                FilterLanguage::Opath | FilterLanguage::Entra => core.to_string(),
            }
        };
        self.row.filter.clone_from(&core);
        custom(&core)
    }

    /// What the compiled rule says about itself.
    fn check(&mut self, rule: &DynamicRule, at: At) {
        if self.row.outcome == Outcome::NotConverted {
            return;
        }
        let compiled = match CompiledRule::compile(rule, &EvaluationOptions::default()) {
            Ok(compiled) => compiled,
            Err(fault) => {
                let proposal = match &fault {
                    RuleFault::CannotEvaluate { properties } => format!(
                        "name another property than {}, or fill a custom attribute from it",
                        properties.join(", ")
                    ),
                    _ => "mend the filter and import again".to_owned(),
                };
                self.refuse(
                    Finding::new(Code::FilterRefused, fault.to_string()).propose(proposal),
                    at,
                );
                return;
            }
        };
        for warning in compiled.warnings() {
            self.note(Finding::new(Code::FilterWarning, warning.to_string()), at);
        }
        if remote::asks_for_user_mailboxes(compiled.predicate()) {
            let message = "the filter names RecipientType UserMailbox: mailboxes that moved to the cloud are MailUsers \
                           on premises and are left out";
            let finding = Finding::new(Code::LocalMailboxesOnly, message).propose(
                "set remote_mailboxes_match_user_mailbox = true for this source, or name RemoteUserMailbox as well",
            );
            self.note(finding, at);
        }
        let mut places = Vec::new();
        compiled.predicate().each_comparison(&mut |comparison| {
            let name = match &comparison.property {
                Property::Held(attribute) => attribute.name(),
                Property::NotHeld(row) => row.name,
                _ => return,
            };
            if ["ServerName", "ServerLegacyDN", "Database", "HomeMTA"].contains(&name) && !places.contains(&name) {
                places.push(name);
            }
        });
        for place in places {
            let message = format!("the filter asks for {place}: it finds nobody whose mailbox has moved");
            let finding = Finding::new(Code::HomeServer, message)
                .propose("replace it by what was meant: an office, a domain, a custom attribute");
            self.note(finding, at);
        }
    }
}

/// The name of a tail for people.
fn tail_name(version: TailVersion) -> &'static str {
    match version {
        TailVersion::Exchange2010 => "Exchange 2010",
        TailVersion::Exchange2013 => "Exchange 2013 to 2016",
        TailVersion::Online => "Exchange Online and 2019",
        TailVersion::OnlineWithoutGuests => "Exchange Online, guests excluded",
        TailVersion::Other => "of an unknown version, kept",
    }
}

/// Nesting of equal connectives says nothing.
fn flat(predicate: &Predicate) -> Predicate {
    let all = |parts: &[Predicate], is_and: bool| {
        let mut list = Vec::new();
        for part in parts.iter().map(flat) {
            match part {
                Predicate::And(inner) if is_and => list.extend(inner),
                Predicate::Or(inner) if !is_and => list.extend(inner),
                other => list.push(other),
            }
        }
        list
    };
    match predicate {
        Predicate::And(parts) => match all(parts, true) {
            mut list if list.len() == 1 => list.remove(0),
            list => Predicate::And(list),
        },
        Predicate::Or(parts) => match all(parts, false) {
            mut list if list.len() == 1 => list.remove(0),
            list => Predicate::Or(list),
        },
        Predicate::Not(inner) => Predicate::Not(Box::new(flat(inner))),
        other => other.clone(),
    }
}

/// `RecipientContainer`; the root of a tenant is no restriction, because everything of it lies there.
fn container(draft: &Draft) -> Option<String> {
    let cell = draft.all(P::RecipientContainer).find(|cell| !cell.value.is_empty())?;
    let text = cell
        .value
        .field("DistinguishedName")
        .and_then(convert::text)
        .or_else(|| convert::text(&cell.value))?;
    let text = match convert::unprinted(&text) {
        Some(object) => object.field("DistinguishedName").and_then(convert::text)?,
        None => text,
    };
    let lower = text.to_lowercase();
    const ROOT: &str = "microsoft exchange hosted organizations";
    let below = lower
        .split_once(&format!("{ROOT}/"))
        .map(|(_, rest)| rest.trim_end_matches('/'));
    let is_root = below.is_some_and(|rest| !rest.contains('/'))
        || lower
            .split_once(&format!(",ou={ROOT},"))
            .is_some_and(|(first, _)| !first.contains(','));
    (!is_root).then(|| text.trim().to_owned())
}

/// `IncludedRecipients` and `Conditional…`, unless the group is a custom one.
fn precanned(draft: &Draft) -> Option<Precanned> {
    let is_custom = draft
        .filter_type
        .as_deref()
        .is_some_and(|text| text.eq_ignore_ascii_case("Custom") || text == "1");
    let included = draft.cell(P::IncludedRecipients).map(|cell| included(&cell.value))?;
    if is_custom || included.is_empty() {
        return None;
    }
    let list = |property: P| -> Vec<String> {
        let mut values = Vec::new();
        for cell in draft.all(property) {
            for value in convert::texts(&cell.value, cell.joined) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        values
    };
    let custom_attributes = (1..=15)
        .map(|number| ConditionalCustomAttribute {
            number,
            values: list(P::ConditionalCustomAttribute(number)),
        })
        .filter(|condition| !condition.values.is_empty())
        .collect();
    Some(Precanned {
        included,
        company: list(P::ConditionalCompany),
        department: list(P::ConditionalDepartment),
        state_or_province: list(P::ConditionalStateOrProvince),
        custom_attributes,
    })
}

/// Names joined by commas, a list, or a number of flags (0 none, -1 all).
fn included(value: &RawValue) -> Vec<IncludedRecipients> {
    use IncludedRecipients as I;
    const WORDS: [(&str, i64, IncludedRecipients); 6] = [
        ("MailboxUsers", 1, I::MailboxUsers),
        ("Resources", 2, I::Resources),
        ("MailContacts", 4, I::MailContacts),
        ("MailGroups", 8, I::MailGroups),
        ("MailUsers", 16, I::MailUsers),
        ("AllRecipients", -1, I::AllRecipients),
    ];
    let texts = convert::texts(value, convert::Joined::ByScript);
    if let [only] = texts.as_slice()
        && let Ok(number) = only.trim().parse::<i64>()
    {
        if number == -1 {
            return vec![I::AllRecipients];
        }
        let flags = WORDS.iter().filter(|(_, flag, _)| *flag > 0 && number & flag != 0);
        return flags.map(|(_, _, word)| *word).collect();
    }
    let words = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    words
        .filter_map(|word| WORDS.iter().find(|(name, _, _)| name.eq_ignore_ascii_case(word)))
        .map(|(_, _, word)| *word)
        .collect()
}

/// A place as the report holds it.
pub fn bounded(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
