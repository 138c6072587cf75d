//! `group pin|convert|refresh|…`: what changes a list or looks at its past.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::group::LanguageWord;
use super::intent;
use crate::admin::cli::values::{point_in_future, point_in_time};
use crate::admin::command::{
    ConvertInto, ConvertOrder, PinEffect, PinOrder, RefreshChoice, RollCommand, RuleQuestion, Signed,
};
use crate::limits;

pub(super) const CONVERT_EXAMPLES: &str = "\
Refused with exit code 4 unless the members before and after are the same or --accept-difference is given.
People the rule misses stay as pinned; people named by --exclude are kept out by a pin.

Examples:
  muster group propose hr-all@contoso.example
  muster group convert hr-all@contoso.example --to dynamic --accept-proposal --exclude m.roth,t.ito
  muster group convert hr-all@contoso.example --to static --at 2026-11-01
  muster group convert hr-all@contoso.example --undo";

pub(super) const PIN_EXAMPLES: &str = "\
--until takes 2026-12-04 (its first moment), 2026-11-24T18:00, or a time from now: 90m, 4h, 14d.

Examples:
  muster group pin projectx@contoso.example --include k.b@contoso.example --until 2026-12-04 --reason cover
  muster group pin all-staff@contoso.example --exclude p.w@contoso.example --until 4h --reason gift";

/// Who decides, and why.
#[derive(Args, Debug)]
pub(super) struct SignedArguments {
    /// Who decides; else the user who runs the command.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why; kept in the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl SignedArguments {
    pub(super) fn signed(self) -> Signed {
        Signed {
            by: self.by,
            owner: None,
            reason: self.reason,
        }
    }

    fn of_owner(self, owner: Option<String>) -> Signed {
        Signed { owner, ..self.signed() }
    }
}

/// `group diff`.
#[derive(Args, Debug)]
pub(super) struct DiffArguments {
    /// Any address of the group.
    group: String,
    /// The earlier time.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// The later time; else now.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl DiffArguments {
    pub(super) fn command(self, now: Timestamp, zone: &TimeZone) -> Result<RollCommand, String> {
        let from = point_in_time(&self.from, now, zone)?;
        let to = match &self.to {
            Some(text) => point_in_time(text, now, zone)?,
            None => now,
        };
        if to < from {
            return Err(format!("--from {} is after --to {to}", self.from));
        }
        Ok(RollCommand::GroupDiff {
            group: self.group,
            from,
            to,
        })
    }
}

/// `group history`.
#[derive(Args, Debug)]
pub(super) struct HistoryArguments {
    /// Any address of the group.
    group: String,
    /// Most versions to show, newest first.
    #[arg(long, value_name = "COUNT", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::HISTORY_VERSIONS_MAX)))]
    limit: u32,
}

impl HistoryArguments {
    pub(super) fn command(self) -> RollCommand {
        RollCommand::GroupHistory {
            group: self.group,
            count_max: self.limit,
        }
    }
}

/// `group pin`.
#[derive(Args, Debug)]
pub(super) struct PinArguments {
    /// Any address of the group.
    group: String,
    /// A member from now on.
    #[arg(
        long,
        value_name = "ADDRESS",
        required_unless_present = "exclude",
        conflicts_with = "exclude"
    )]
    include: Option<String>,
    /// No member from now on.
    #[arg(long, value_name = "ADDRESS")]
    exclude: Option<String>,
    /// When it ends by itself.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// An owner of the group who decides; anybody else is refused.
    #[arg(long = "as", value_name = "ADDRESS")]
    owner: Option<String>,
    #[command(flatten)]
    signed: SignedArguments,
}

impl PinArguments {
    pub(super) fn command(self, now: Timestamp, zone: &TimeZone) -> Result<RollCommand, String> {
        let until = self.until.map(|text| point_in_future(&text, now, zone)).transpose()?;
        let (effect, recipient) = match (self.include, self.exclude) {
            (Some(recipient), _) => (PinEffect::Include, recipient),
            (None, Some(recipient)) => (PinEffect::Exclude, recipient),
            (None, None) => return Err("name whom to --include or to --exclude".to_owned()),
        };
        Ok(RollCommand::GroupPin(PinOrder {
            group: self.group,
            effect,
            recipient,
            until,
            signed: self.signed.of_owner(self.owner),
        }))
    }
}

/// `group unpin`.
#[derive(Args, Debug)]
pub(super) struct UnpinArguments {
    /// Any address of the group.
    group: String,
    /// Any address of the pinned recipient.
    recipient: String,
    /// An owner of the group who decides; anybody else is refused.
    #[arg(long = "as", value_name = "ADDRESS")]
    owner: Option<String>,
    #[command(flatten)]
    signed: SignedArguments,
}

impl UnpinArguments {
    pub(super) fn command(self) -> RollCommand {
        RollCommand::GroupUnpin {
            group: self.group,
            recipient: self.recipient,
            signed: self.signed.of_owner(self.owner),
        }
    }
}

/// `group pins`.
#[derive(Args, Debug)]
pub(super) struct PinsArguments {
    /// Any address of the group.
    group: String,
    /// As this person may see them: who is kept out does not see the pin that does it.
    #[arg(long = "as", value_name = "ADDRESS")]
    seen_by: Option<String>,
}

impl PinsArguments {
    pub(super) fn command(self) -> RollCommand {
        RollCommand::GroupPins {
            group: self.group,
            seen_by: self.seen_by,
        }
    }
}

/// `group refresh`.
#[derive(Args, Debug)]
pub(super) struct RefreshArguments {
    /// Any address of one group.
    #[arg(conflicts_with_all = ["container", "recipient", "all"])]
    group: Option<String>,
    /// Groups that lie in this container or look in it: a DN or a canonical name.
    #[arg(long, value_name = "DN", conflicts_with_all = ["recipient", "all"])]
    container: Option<String>,
    /// Groups that hold this recipient, or would after a computation.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "all")]
    recipient: Option<String>,
    /// All groups.
    #[arg(long)]
    all: bool,
    /// Do it; without it, more than one list is only counted.
    #[arg(long)]
    yes: bool,
}

impl RefreshArguments {
    pub(super) fn command(self) -> Result<RollCommand, String> {
        let what = match (self.group, self.container, self.recipient, self.all) {
            // One list that was named needs no second word.
            (Some(group), ..) => {
                return Ok(RollCommand::GroupRefresh {
                    what: RefreshChoice::Group(group),
                    intent: intent(true),
                });
            }
            (None, Some(container), ..) => RefreshChoice::Container(container),
            (None, None, Some(recipient), _) => RefreshChoice::Recipient(recipient),
            (None, None, None, true) => RefreshChoice::All,
            (None, None, None, false) => {
                return Err("name what to refresh: a group, --container, --recipient or --all".to_owned());
            }
        };
        Ok(RollCommand::GroupRefresh {
            what,
            intent: intent(self.yes),
        })
    }
}

/// Static or dynamic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum KindWord {
    /// With a rule.
    Dynamic,
    /// With a list.
    Static,
}

/// `group convert`.
#[derive(Args, Debug)]
pub(super) struct ConvertArguments {
    /// Any address of the group.
    group: String,
    /// What it becomes.
    #[arg(long, value_enum, value_name = "KIND", required_unless_present = "undo")]
    to: Option<KindWord>,
    /// With the rule that `group propose` finds.
    #[arg(long, conflicts_with = "filter")]
    accept_proposal: bool,
    /// With this rule.
    #[arg(long, value_name = "RULE")]
    filter: Option<String>,
    /// The language of --filter, if its looks do not tell.
    #[arg(long, value_enum, value_name = "LANGUAGE", requires = "filter")]
    language: Option<LanguageWord>,
    /// Container that --filter looks in: a DN or a canonical name.
    #[arg(long, value_name = "DN", requires = "filter")]
    container: Option<String>,
    /// People to keep out by a pin: addresses, separated by commas.
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    exclude: Vec<String>,
    /// With the members of that time.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Take it although somebody joins or leaves by it.
    #[arg(long)]
    accept_difference: bool,
    /// Back to what the source says.
    #[arg(long, conflicts_with_all = ["to", "accept_proposal", "filter", "at", "exclude"])]
    undo: bool,
    #[command(flatten)]
    signed: SignedArguments,
}

impl ConvertArguments {
    pub(super) fn command(self, now: Timestamp, zone: &TimeZone) -> Result<RollCommand, String> {
        let into = match (self.to, self.filter) {
            (None, _) => ConvertInto::Undo,
            (Some(KindWord::Static), Some(_)) => return Err("--filter is for --to dynamic".to_owned()),
            (Some(KindWord::Static), None) if self.accept_proposal => {
                return Err("--accept-proposal is for --to dynamic".to_owned());
            }
            (Some(KindWord::Static), None) => {
                let at = self.at.as_deref().map(|text| point_in_time(text, now, zone));
                ConvertInto::Static(at.transpose()?)
            }
            (Some(KindWord::Dynamic), _) if self.at.is_some() => return Err("--at is for --to static".to_owned()),
            (Some(KindWord::Dynamic), Some(filter)) => ConvertInto::Rule(RuleQuestion {
                group: None,
                filter: Some(filter),
                language: self.language.map(LanguageWord::language),
                container: self.container,
            }),
            (Some(KindWord::Dynamic), None) if self.accept_proposal => ConvertInto::Proposal,
            (Some(KindWord::Dynamic), None) => {
                return Err("--to dynamic needs --accept-proposal or --filter".to_owned());
            }
        };
        Ok(RollCommand::GroupConvert(ConvertOrder {
            group: self.group,
            into,
            exclude: self.exclude,
            accept_difference: self.accept_difference,
            signed: self.signed.signed(),
        }))
    }
}

/// `group freeze`.
#[derive(Args, Debug)]
pub(super) struct FreezeArguments {
    /// Any address of the group.
    group: String,
    /// With the members of that time; else of now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Take it although somebody joins or leaves by it.
    #[arg(long)]
    accept_difference: bool,
    #[command(flatten)]
    signed: SignedArguments,
}

impl FreezeArguments {
    pub(super) fn command(self, now: Timestamp, zone: &TimeZone) -> Result<RollCommand, String> {
        let at = self.at.map(|text| point_in_time(&text, now, zone)).transpose()?;
        Ok(RollCommand::GroupConvert(ConvertOrder {
            group: self.group,
            into: ConvertInto::Static(at),
            exclude: Vec::new(),
            accept_difference: self.accept_difference,
            signed: self.signed.signed(),
        }))
    }
}
