//! `group …`: lists, their rules, their past, their pins.

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::change::{
    CONVERT_EXAMPLES, ConvertArguments, DiffArguments, FreezeArguments, HistoryArguments, PIN_EXAMPLES, PinArguments,
    PinsArguments, RefreshArguments, SignedArguments, UnpinArguments,
};
use super::compare::{CUTOVER_EXAMPLES, CutoverArguments};
use crate::admin::Command;
use crate::admin::cli::values::point_in_time;
use crate::admin::command::{
    MemberDepth, PreviewQuestion, PrintLanguage, RollCommand, RuleCommand, RuleLanguage, RuleQuestion, WhyQuestion,
};
use crate::limits;

const TIMES: &str = "\
Times: 2026-11-16, 2026-11-16T08:00, 2026-11-16T08:00+01:00, monday, yesterday, today, 90m, 12h, 3d.
A date is its first moment in the local time zone.";

const WHY_EXAMPLES: &str = "\
Shows every clause of a dynamic group's rule with the stored value, the source it comes from and when it
changed, pins, the path that makes a member one, and what is missing at the least.

Examples:
  muster group why berlin@contoso.example jonas@contoso.example
  muster group why berlin@contoso.example jonas@contoso.example --list
  muster group why berlin@contoso.example jonas@contoso.example --at monday";

const PREVIEW_EXAMPLES: &str = "\
The language is known by its looks: OPATH, LDAP (RFC 4515) or an Entra membership rule.

Examples:
  muster group preview --filter \"Office -eq 'Berlin'\"
  muster group preview berlin@contoso.example --filter '(physicalDeliveryOfficeName=Berlin*)'
  muster group preview berlin@contoso.example --filter \"Office -like 'Berlin*'\" --save --reason 'new codes'";

/// What can be asked of groups.
#[derive(Subcommand, Debug)]
pub(super) enum GroupVerb {
    /// Every group with its kind, size and the age of its list.
    List,
    /// One group: rules, owners, filter, state of its list.
    Show {
        /// Any address of the group.
        group: String,
    },
    /// Who is in a group, or was at a time.
    #[command(after_help = TIMES)]
    Members {
        /// Any address of the group.
        group: String,
        /// Follow nested groups down to people.
        #[arg(long, visible_alias = "expand")]
        all: bool,
        /// As the list was then.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Why somebody is, or is not, in a group; exit code 1 if not.
    #[command(after_help = WHY_EXAMPLES)]
    Why(WhyArguments),
    /// Whom a rule would reach that is not in force, against today's directory.
    #[command(after_help = PREVIEW_EXAMPLES)]
    Preview(PreviewArguments),
    /// A rule in another language, or in plain words; exit code 1 if it cannot be said.
    Filter {
        #[command(flatten)]
        rule: RuleArguments,
        /// The language asked for.
        #[arg(long = "as", value_enum, value_name = "LANGUAGE")]
        shown_in: PrintWord,
    },
    /// How a rule is evaluated: what an index answers, what is read one by one.
    Plan(RuleArguments),
    /// What is odd about a rule: clauses that match nobody, other spellings, wrong identifiers.
    Lint {
        /// Any address of the group; none: all dynamic groups.
        group: Option<String>,
    },
    /// Who joined and who left between two times, and why.
    #[command(after_help = TIMES)]
    Diff(DiffArguments),
    /// Versions of a list with what each changed, newest first.
    History(HistoryArguments),
    /// Compute lists again now.
    Refresh(RefreshArguments),
    /// Compare lists with a computation from scratch; exit code 1 if one differs.
    Verify {
        /// Any address of the group; none: all groups.
        group: Option<String>,
    },
    /// Put somebody in, or keep somebody out, whatever the source or the rule says.
    #[command(after_help = PIN_EXAMPLES)]
    Pin(PinArguments),
    /// End a pin.
    Unpin(UnpinArguments),
    /// Pins of a group.
    Pins(PinsArguments),
    /// The smallest rule that yields the members of a static group.
    Propose {
        /// Any address of the group.
        group: String,
    },
    /// Make a static group dynamic, or a dynamic one static, without changing who is in it.
    #[command(after_help = CONVERT_EXAMPLES)]
    Convert(ConvertArguments),
    /// Make a dynamic group static, with its members of now or of a time.
    #[command(after_help = TIMES)]
    Freeze(FreezeArguments),
    /// Have a group expanded here from now on, no longer by the service before.
    #[command(after_help = CUTOVER_EXAMPLES)]
    Cutover(CutoverArguments),
    /// Members that a message does not reach, or may not: deleted, disabled, unresolved, suspect.
    Stale {
        /// Any address of the group; none: all groups.
        group: Option<String>,
    },
}

/// `group why`.
#[derive(Args, Debug)]
pub(super) struct WhyArguments {
    /// Any address of the group.
    group: String,
    /// Any address of the person or nested group.
    recipient: String,
    /// As the list was then.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// As this person may see it: who is kept out by a pin does not see the pin.
    #[arg(long = "as", value_name = "ADDRESS")]
    seen_by: Option<String>,
    /// Name the others that the same repair would make members.
    #[arg(long)]
    list: bool,
}

/// A rule: a group's, or a text.
#[derive(Args, Debug)]
pub(super) struct RuleArguments {
    /// Any address of the group.
    #[arg(required_unless_present = "filter")]
    group: Option<String>,
    #[command(flatten)]
    text: TextArguments,
}

/// A rule as text.
#[derive(Args, Debug)]
struct TextArguments {
    /// The rule, instead of the group's own.
    #[arg(long, value_name = "RULE")]
    filter: Option<String>,
    /// The language of --filter, if its looks do not tell.
    #[arg(long, value_enum, value_name = "LANGUAGE", requires = "filter")]
    language: Option<LanguageWord>,
    /// Container that --filter looks in: a DN or a canonical name.
    #[arg(long, value_name = "DN", requires = "filter")]
    container: Option<String>,
}

/// `group preview`.
#[derive(Args, Debug)]
pub(super) struct PreviewArguments {
    /// Any address of the group it is compared with.
    group: Option<String>,
    /// The rule.
    #[arg(long, value_name = "RULE")]
    filter: String,
    /// Its language, if its looks do not tell.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    language: Option<LanguageWord>,
    /// Container it looks in: a DN or a canonical name; else that of the group.
    #[arg(long, value_name = "DN")]
    container: Option<String>,
    /// Most people named on either side.
    #[arg(long, value_name = "COUNT", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(limits::PREVIEW_NAMES_MAX)))]
    sample: u32,
    /// Make it the rule of the group, instead of what its source says.
    #[arg(long, requires = "group")]
    save: bool,
    #[command(flatten)]
    signed: SignedArguments,
}

/// Languages of rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum LanguageWord {
    /// Exchange's recipient filters.
    Opath,
    /// RFC 4515.
    Ldap,
    /// Entra's dynamic membership rules.
    Entra,
}

/// Languages rules are printed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum PrintWord {
    /// Exchange's recipient filters.
    Opath,
    /// RFC 4515.
    Ldap,
    /// Entra's dynamic membership rules.
    Entra,
    /// Plain words.
    English,
}

impl GroupVerb {
    pub(super) fn command(self, now: Timestamp, zone: &TimeZone) -> Result<Command, String> {
        Ok(match self {
            Self::List => Command::GroupList,
            Self::Show { group } => Command::GroupShow { group },
            Self::Members { group, all, at } => Command::GroupMembers {
                group,
                depth: if all {
                    MemberDepth::Everybody
                } else {
                    MemberDepth::Direct
                },
                at: at.map(|text| point_in_time(&text, now, zone)).transpose()?,
            },
            Self::Why(arguments) => Command::GroupWhy(WhyQuestion {
                group: arguments.group,
                recipient: arguments.recipient,
                at: arguments.at.map(|text| point_in_time(&text, now, zone)).transpose()?,
                seen_by: arguments.seen_by,
                list: arguments.list,
            }),
            Self::Preview(arguments) => Command::Rule(RuleCommand::GroupPreview(arguments.question())),
            Self::Filter { rule, shown_in } => Command::Rule(RuleCommand::GroupFilter {
                rule: rule.question(),
                language: shown_in.language(),
            }),
            Self::Plan(rule) => Command::Rule(RuleCommand::GroupPlan { rule: rule.question() }),
            Self::Lint { group } => Command::Rule(RuleCommand::GroupLint { group }),
            Self::Propose { group } => Command::Rule(RuleCommand::GroupPropose { group }),
            Self::Diff(arguments) => Command::Roll(arguments.command(now, zone)?),
            Self::History(arguments) => Command::Roll(arguments.command()),
            Self::Refresh(arguments) => Command::Roll(arguments.command()?),
            Self::Verify { group } => Command::Roll(RollCommand::GroupVerify { group }),
            Self::Pin(arguments) => Command::Roll(arguments.command(now, zone)?),
            Self::Unpin(arguments) => Command::Roll(arguments.command()),
            Self::Pins(arguments) => Command::Roll(arguments.command()),
            Self::Convert(arguments) => Command::Roll(arguments.command(now, zone)?),
            Self::Freeze(arguments) => Command::Roll(arguments.command(now, zone)?),
            Self::Cutover(arguments) => Command::Compare(arguments.command()),
            Self::Stale { group } => Command::Roll(RollCommand::GroupStale { group }),
        })
    }
}

impl RuleArguments {
    fn question(self) -> RuleQuestion {
        RuleQuestion {
            group: self.group,
            filter: self.text.filter,
            language: self.text.language.map(LanguageWord::language),
            container: self.text.container,
        }
    }
}

impl PreviewArguments {
    fn question(self) -> PreviewQuestion {
        PreviewQuestion {
            rule: RuleQuestion {
                group: self.group,
                filter: Some(self.filter),
                language: self.language.map(LanguageWord::language),
                container: self.container,
            },
            save: self.save,
            signed: self.signed.signed(),
            sample_max: self.sample,
        }
    }
}

impl LanguageWord {
    pub(super) const fn language(self) -> RuleLanguage {
        match self {
            Self::Opath => RuleLanguage::Opath,
            Self::Ldap => RuleLanguage::Ldap,
            Self::Entra => RuleLanguage::Entra,
        }
    }
}

impl PrintWord {
    const fn language(self) -> PrintLanguage {
        match self {
            Self::Opath => PrintLanguage::Opath,
            Self::Ldap => PrintLanguage::Ldap,
            Self::Entra => PrintLanguage::Entra,
            Self::English => PrintLanguage::English,
        }
    }
}
