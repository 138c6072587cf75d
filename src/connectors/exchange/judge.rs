//! What an imported directory would do: who is in its dynamic groups, and what somebody should know beforehand.
//!
//! In: the objects of an import. Out: counts of members both ways, findings. Never: a rule changed.

use std::collections::HashMap;

use jiff::Timestamp;

use super::import::{Import, Progress};
use super::intake::Intake;
use super::report::{Code, DynamicGroup, Finding, Outcome};
use super::rule::bounded;
use crate::connectors::files::property::Property as P;
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::{CompiledRule, EvaluationOptions, remote};
use crate::directory::group::DynamicRule;
use crate::directory::recipient::{ObjectId, RecipientObject};
use crate::directory::{ChangeSet, Directory, Finding as DirectoryFinding, Ordinal, OrdinalSource};

struct Counting(u32);

impl OrdinalSource for Counting {
    fn ordinal(&mut self, _: &ObjectId) -> Ordinal {
        self.0 += 1;
        Ordinal(self.0 - 1)
    }
}

/// Puts the objects together as a directory and asks it.
pub fn judge(
    import: &mut Import<'_>,
    objects: Vec<RecipientObject>,
    now: Timestamp,
    progress: &dyn Progress,
) -> (Vec<RecipientObject>, Vec<DynamicGroup>) {
    let changes = ChangeSet {
        upserts: objects.clone(),
        removals: Vec::new(),
    };
    let (directory, findings) = Directory::empty().apply(changes, &mut Counting(0), 1, now);
    for finding in findings {
        if let DirectoryFinding::AmbiguousAddress { address, objects: ids } = finding {
            let names: Vec<&str> = objects
                .iter()
                .filter(|object| ids.contains(&object.id))
                .map(|object| object.primary.as_str())
                .collect();
            let message = format!(
                "{} objects have it: {}; mail to it is refused",
                ids.len(),
                names.join(", ")
            );
            let finding = Finding::new(Code::DuplicateAddress, message)
                .about(address)
                .propose("take the address from all but one of them in Exchange");
            import.findings.push(finding);
        }
    }
    let mut rows: HashMap<ObjectId, DynamicGroup> = std::mem::take(&mut import.rows).into_iter().collect();
    progress.stage("counting members", rows.len() as u64);
    let mut judged = Vec::with_capacity(rows.len());
    for object in &objects {
        let Some(mut row) = rows.remove(&object.id) else {
            continue;
        };
        let rule = object.group.as_deref().and_then(|group| group.rule.as_deref());
        if let (Some(rule), true) = (rule, row.outcome != Outcome::NotConverted) {
            count_members(import, &directory, rule, &mut row, now);
        }
        judged.push(row);
        progress.advance(1);
    }
    (objects, judged)
}

fn count_members(
    import: &mut Import<'_>,
    directory: &Directory,
    rule: &DynamicRule,
    row: &mut DynamicGroup,
    now: Timestamp,
) {
    let members = members(directory, rule, now);
    row.members = members;
    let widened = DynamicRule {
        remote_mailboxes_match_user_mailbox: true,
        ..rule.clone()
    };
    let asks = CompiledRule::compile(rule, &EvaluationOptions::default())
        .is_ok_and(|compiled| remote::asks_for_user_mailboxes(compiled.predicate()));
    if asks {
        let with_remote = self::members(directory, &widened, now);
        row.members_with_remote = with_remote.filter(|count| Some(*count) != members);
        if let (Some(without), Some(with)) = (members, row.members_with_remote) {
            let note = format!("{without} members as it stands, {with} with remote_mailboxes_match_user_mailbox");
            row.notes.push(note);
        }
    }
    if members == Some(0) {
        let container = row.container.as_deref();
        let (why, proposal) = match container {
            Some(container) => (
                format!("nobody in {container} fits its filter"),
                "look at the container: by default it is the unit the group was created in",
            ),
            None => (
                "nobody fits its filter".to_owned(),
                "preview the filter with `muster group preview`",
            ),
        };
        import.findings.push(
            Finding::new(Code::EmptyGroup, why.clone())
                .about(row.address.clone())
                .propose(proposal),
        );
        row.notes.push(why);
        if row.outcome == Outcome::Converted {
            row.outcome = Outcome::ConvertedWithNotes;
        }
    }
}

fn members(directory: &Directory, rule: &DynamicRule, now: Timestamp) -> Option<u64> {
    let compiled = CompiledRule::compile(rule, &EvaluationOptions::default()).ok()?;
    let context = DirectMembers::for_rule(directory, &compiled, now);
    let found = directory
        .recipients()
        .filter(|(_, object)| compiled.matches(object, &context));
    Some(found.count() as u64)
}

impl Import<'_> {
    /// What a group lacks, and what its settings mean; only an import sees both.
    pub(super) fn tell_missing(&mut self, objects: &[RecipientObject], intake: &Intake) {
        self.tell_guids();
        self.tell_refused_values();
        self.tell_tails();
        let mut thin = 0_u64;
        for object in objects {
            let Some(index) = self.index_of(object) else { continue };
            let Some(draft) = self.drafts.get(index) else { continue };
            thin += u64::from(!draft.is_whole);
            let (at, open) = (draft.at, draft.members_open);
            let has_list = draft.cell(P::Members).is_some();
            if let Some(last) = open {
                let message = format!("its members end at {last}: the directory gives long lists in ranges");
                let proposal =
                    Some("export with a tool that reads all ranges (ldifde, ldapsearch with paging)".to_owned());
                self.find(Code::TruncatedRange, index, message, at, proposal);
            }
            if let Some(settings) = object.group.as_deref() {
                let is_static = !object.kind.is_dynamic() && !object.kind.is_microsoft365_group();
                let lists = has_list || self.is_from_directory(index);
                if is_static && settings.members.is_empty() && !lists && !intake.has_member_tables {
                    let message = "its members are in none of these files; it would be empty".to_owned();
                    let proposal = format!(
                        "export them: Get-DistributionGroupMember {} -ResultSize Unlimited | \
                         Select @{{n='GroupEmail';e={{'{}'}}}},PrimarySmtpAddress,RecipientTypeDetails | Export-Csv …",
                        object.alias.as_deref().unwrap_or(object.primary.as_str()),
                        object.primary
                    );
                    self.find(Code::MembersMissing, index, message, at, Some(proposal));
                }
                self.tell_settings(object, index);
            }
        }
        if thin > 0 {
            let message = format!("{thin} recipients are known from member lists only: no alias, no attributes");
            let proposal = "add Get-Recipient -ResultSize Unlimited, all properties, or they are in no dynamic group";
            self.findings
                .push(Finding::new(Code::ThinRecipients, message).propose(proposal));
        }
    }

    fn tell_settings(&mut self, object: &RecipientObject, index: usize) {
        let Some(settings) = object.group.as_deref() else {
            return;
        };
        let at = self.drafts.get(index).map(|draft| draft.at).unwrap_or_default();
        let moderation = object
            .delivery
            .as_deref()
            .and_then(|delivery| delivery.moderation.as_deref());
        if moderation.is_some_and(|moderation| moderation.enabled && moderation.moderators.is_empty()) {
            let message = "moderation is on and ModeratedBy is empty; the owners decide".to_owned();
            self.find(
                Code::NoModerators,
                index,
                message,
                at,
                Some("name moderators".to_owned()),
            );
        }
        if !settings.report_to_originator && !settings.report_to_owner {
            let message = "neither the sender nor the owner hears of failures".to_owned();
            let proposal = Some("set ReportToManagerEnabled, or ReportToOriginatorEnabled".to_owned());
            self.find(Code::NoReports, index, message, at, proposal);
        }
        const PUBLISHED: [&str; 12] = [
            "info", "sales", "privacy", "contact", "support", "press", "jobs", "careers", "office", "abuse",
            "security", "hello",
        ];
        let inside_only = object
            .delivery
            .as_deref()
            .and_then(|delivery| delivery.require_sender_authentication)
            == Some(true);
        let local = object.primary.local_part().to_ascii_lowercase();
        if inside_only && PUBLISHED.contains(&local.as_str()) {
            let message = "it takes mail from inside only, and its address looks like a published one".to_owned();
            let proposal =
                Some("set RequireSenderAuthenticationEnabled to $false if strangers should reach it".to_owned());
            self.find(Code::InternalOnly, index, message, at, proposal);
        }
    }

    fn tell_refused_values(&mut self) {
        for (attribute, (count, expected, at)) in std::mem::take(&mut self.refused_values) {
            let file = self.files.get(at.file).cloned().unwrap_or_default();
            let message = format!("{attribute}: {count} values were left out, because they are not {expected}");
            let finding = Finding::new(Code::ValueRefused, message)
                .at(&file, bounded(at.line), bounded(at.column))
                .propose("export the column in the form of the cmdlet, not of a spreadsheet");
            self.findings.push(finding);
        }
    }

    fn tell_tails(&mut self) {
        let removed = self.rows.iter().filter(|(_, row)| !row.tails.is_empty()).count();
        if removed > 0 {
            let message =
                format!("system exclusions were removed from {removed} filters; they hold here without being said");
            self.findings.push(Finding::new(Code::TailsRemoved, message));
        }
    }
}
