//! `group …`: lists, their rules, their past, their pins.

use clap::{Args, Subcommand, ValueEnum};

use crate::admin::Command;
use crate::admin::command::{MemberDepth, PreviewQuestion, RuleCommand, RuleLanguage, RuleQuestion, WhyQuestion};
use crate::limits;

const WHY_EXAMPLES: &str = "\
Shows every clause of a dynamic group's rule with the stored value, the source it comes from and when it
changed, the path that makes a member one, and what is missing at the least.

Examples:
  muster group why berlin@contoso.example jonas@contoso.example
  muster group why berlin@contoso.example jonas@contoso.example --list";

const PREVIEW_EXAMPLES: &str = "\
Examples:
  muster group preview --filter \"Office -eq 'Berlin'\"
  muster group preview berlin@contoso.example --filter \"Office -like 'Berlin*'\"";

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
    /// Who is in a group.
    Members {
        /// Any address of the group.
        group: String,
        /// Follow nested groups down to people.
        #[arg(long, visible_alias = "expand")]
        all: bool,
    },
    /// Why somebody is, or is not, in a group; exit code 1 if not.
    #[command(after_help = WHY_EXAMPLES)]
    Why(WhyArguments),
    /// Whom a rule would reach that is not in force, against today's directory.
    #[command(after_help = PREVIEW_EXAMPLES)]
    Preview(PreviewArguments),
}

/// `group why`.
#[derive(Args, Debug)]
pub(super) struct WhyArguments {
    /// Any address of the group.
    group: String,
    /// Any address of the person or nested group.
    recipient: String,
    /// Name the others that the same repair would make members.
    #[arg(long)]
    list: bool,
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
}

/// Languages of rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum LanguageWord {
    /// Exchange's recipient filters.
    Opath,
}

impl GroupVerb {
    pub(super) fn command(self) -> Command {
        match self {
            Self::List => Command::GroupList,
            Self::Show { group } => Command::GroupShow { group },
            Self::Members { group, all } => Command::GroupMembers {
                group,
                depth: if all {
                    MemberDepth::Everybody
                } else {
                    MemberDepth::Direct
                },
            },
            Self::Why(arguments) => Command::GroupWhy(WhyQuestion {
                group: arguments.group,
                recipient: arguments.recipient,
                list: arguments.list,
            }),
            Self::Preview(arguments) => Command::Rule(RuleCommand::GroupPreview(arguments.question())),
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
            sample_max: self.sample,
        }
    }
}

impl LanguageWord {
    const fn language(self) -> RuleLanguage {
        match self {
            Self::Opath => RuleLanguage::Opath,
        }
    }
}
