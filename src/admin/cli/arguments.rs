//! The arguments as `clap` reads them, and what they ask for.

mod change;
mod compare;
mod group;
mod guard;
mod moderate;
mod password;
mod queue;
mod send;
mod stop;
mod test;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::exchange::{ExportArguments, ExportRequest, ImportRequest, ImportVerb};
use super::values::{point_in_time, size_in_octets};
use super::{CheckScope, Output};
use crate::admin::Command;
use crate::admin::command::{ExplainQuestion, GuardIntent, Intent, QueueCommand, RollCommand, TraceQuery};
use crate::limits;
use crate::mail::MessageId;
use compare::{COMPARE_EXAMPLES, CompareArguments};
use group::GroupVerb;
use guard::{GuardVerb, SuspectVerb};
use moderate::ModerateVerb;
pub use password::PasswordRequest;
use password::{PASSWORD_EXAMPLES, PasswordArguments};
use queue::QueueVerb;
use send::{SEND_EXAMPLES, SendArguments};
use stop::{STOP_EXAMPLES, StopArguments, WATCH_EXAMPLES, WatchArguments};
use test::TestVerb;

/// Where settings are looked for.
const SETTINGS: &str = "/etc/muster/muster.toml";

const EXAMPLES: &str = "\
Examples:
  muster demo                                            see it work, nothing to prepare
  muster check --config muster.toml                      find every mistake in the settings
  muster serve --config muster.toml                      run the service
  muster explain --from a@x.example --to all@y.example   ask before sending
  muster trace --to lena@y.example --since monday        did Lena get it?
  muster group why berlin@y.example jonas@y.example      why is Jonas not in the list?
  muster stop --group all@y.example --for 2h             hold what is not delivered yet

Exit codes: 0 yes or done; 1 no, refused, not found; 2 wrong use or bad settings;
3 service not reachable; 4 refused by a guard.";

/// Group mail: who may write to a group, who is in it, and where each copy goes.
#[derive(Parser, Debug)]
#[command(name = "muster", version, after_help = EXAMPLES, propagate_version = true, disable_help_subcommand = true)]
pub(super) struct Arguments {
    /// Settings file; commands to the service read only where its socket is.
    #[arg(long, global = true, value_name = "FILE", default_value = SETTINGS)]
    pub(super) config: PathBuf,
    /// Socket of the service, instead of the one that the settings name.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) socket: Option<PathBuf>,
    /// Print one JSON document; its keys do not change.
    #[arg(long, global = true, conflicts_with = "quiet")]
    json: bool,
    /// Print no answer; the exit code tells it.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Run the service until it is told to stop (SIGTERM); SIGHUP reloads.
    Serve,
    /// Show what muster does: a relay with an example organisation, real messages, a table of what happened.
    Demo,
    /// Check settings and directory files; prints everything found, changes nothing.
    Check {
        /// Ask name servers whether the public halves of our signing keys are there.
        #[arg(long)]
        dns: bool,
    },
    /// Make a directory source from files; nothing is sent, no service is asked.
    #[command(subcommand)]
    Import(ImportVerb),
    /// Write the whole directory of the service as files that a directory source reads back.
    Export(ExportArguments),
    /// Look at groups, their lists and their rules.
    #[command(subcommand)]
    Group(GroupVerb),
    /// Look at lists that the guard holds, take them or keep the old ones.
    #[command(subcommand)]
    Guard(GuardVerb),
    /// Look at addresses that next hops refuse for good, again and again.
    #[command(subcommand)]
    Suspects(SuspectVerb),
    /// Everything that waits for an operator; exit code 1 if there is something.
    Alerts,
    /// Compare whom Exchange reached, by its log, with whom our lists would have; exit code 1 if a group differs.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArguments),
    /// Say what would happen to a message, by the code that delivers; nothing is sent.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),
    /// Try a message out: say what would happen to it, or send it to yourself only.
    #[command(after_help = SEND_EXAMPLES)]
    Send(SendArguments),
    /// Say what became of messages and their recipients.
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(TraceArguments),
    /// Look at what waits for delivery, try it again, give it up.
    #[command(subcommand)]
    Queue(QueueVerb),
    /// Decide what waits for a moderator.
    #[command(subcommand)]
    Moderate(ModerateVerb),
    /// Show storms of replies to all: threads that are counted, and brakes.
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(WatchArguments),
    /// Hold what is not delivered yet of a message, a group or a thread; let it go, or give it up.
    #[command(after_help = STOP_EXAMPLES)]
    Stop(StopArguments),
    /// Read settings and directory files again: all of it, or nothing if something is wrong.
    Reload {
        /// Take a directory that lost more than the guard allows.
        #[arg(long)]
        accept: bool,
    },
    /// Is the service well?
    Status,
    /// Show what TLS with domains' mail exchangers came to, and which reports were sent about it (RFC 8460).
    TlsReports {
        /// Only of this domain.
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<String>,
    },
    /// Make the line of an account for the file of passwords.
    #[command(after_help = PASSWORD_EXAMPLES)]
    Password(PasswordArguments),
    /// Attack the running policy; nothing is delivered.
    #[command(subcommand)]
    Test(TestVerb),
}

const EXPLAIN_EXAMPLES: &str = "\
Without --via and --client both answers are given: as a stranger, and as a proven internal sender.

Examples:
  muster explain --from cfo@contoso.example --to all-staff@contoso.example --size 12M
  muster explain --from x@mail.example --to all-staff@contoso.example --via inbound --client 192.0.2.1
  muster explain --from lena@contoso.example --author boss@contoso.example --to all-staff@contoso.example";

#[derive(Args, Debug)]
struct ExplainArguments {
    /// Sender (reverse-path); `<>` for a report.
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// Recipient or group.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// `From` of the message, if it is not the sender: `boss@contoso.example` or `"The Boss" <boss@contoso.example>`.
    #[arg(long, value_name = "FROM")]
    author: Option<String>,
    /// Size of the message: 4096, 300K, 12M.
    #[arg(long, value_name = "SIZE", value_parser = size_in_octets)]
    size: Option<u64>,
    /// Listener it would come in by.
    #[arg(long, value_name = "LISTENER")]
    via: Option<String>,
    /// Address of the client it would come from.
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// Account that the client would have logged in as.
    #[arg(long, value_name = "ACCOUNT")]
    login: Option<String>,
    /// Name of the certificate that the client would have shown.
    #[arg(long, value_name = "NAME")]
    certificate: Option<String>,
}

const TRACE_EXAMPLES: &str = "\
Times: 2026-11-16, 2026-11-16T08:00, 2026-11-16T08:00+01:00, monday, yesterday, today, 90m, 12h, 3d.

Examples:
  muster trace --to lena@contoso.example --since monday --subject Bonus
  muster trace --message 0192f5c4-7a31-7c2e-9f10-2f6f0c1b8a44 --undelivered
  muster trace --message 0192f5c4-7a31-7c2e-9f10-2f6f0c1b8a44 --was jonas@contoso.example";

#[derive(Args, Debug)]
struct TraceArguments {
    /// Recipient: addressed, or reached through a group.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Sender (reverse-path).
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// One message by its number, as in the 250 reply and in reports.
    #[arg(long, value_name = "ID")]
    message: Option<MessageId>,
    /// Part of the subject.
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Received then or later.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Received before.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only recipients that did not get it.
    #[arg(long)]
    undelivered: bool,
    /// Was this person in the lists that --message was expanded with? Exit code 1 if not.
    #[arg(long, value_name = "ADDRESS", requires = "message",
          conflicts_with_all = ["to", "from", "subject", "since", "until", "undelivered"])]
    was: Option<String>,
    /// Most messages to show, newest first.
    #[arg(long, value_name = "COUNT", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::TRACE_MESSAGES_MAX)))]
    limit: u32,
}

/// What the arguments ask for.
pub(super) enum Asked {
    /// Run the service.
    Serve,
    /// Run the demonstration.
    Demo,
    /// Check settings here.
    Check(CheckScope),
    /// Make the line of an account here.
    Password(PasswordRequest),
    /// Import a directory here.
    Import(ImportRequest),
    /// Export the directory of the service.
    Export(ExportRequest),
    /// Ask the service.
    Service(Command),
    /// Ask the service again and again: each answer comes when something has changed.
    Follow(Command),
}

impl Arguments {
    pub(super) fn output(&self) -> Output {
        match (self.json, self.quiet) {
            (true, _) => Output::Json,
            (false, true) => Output::Quiet,
            (false, false) => Output::Text,
        }
    }

    /// What is asked; the text says which argument makes no sense.
    pub(super) fn asked(self, now: Timestamp, zone: &TimeZone) -> Result<Asked, String> {
        let output = self.output();
        Ok(Asked::Service(match self.verb {
            Verb::Export(arguments) => return Ok(Asked::Export(arguments.request(output))),
            Verb::Import(verb) => return Ok(Asked::Import(verb.request(output))),
            Verb::Serve => return Ok(Asked::Serve),
            Verb::Password(arguments) => return Ok(Asked::Password(arguments.request())),
            Verb::Demo => return Ok(Asked::Demo),
            Verb::Check { dns: true } => return Ok(Asked::Check(CheckScope::FilesAndDns)),
            Verb::Check { dns: false } => return Ok(Asked::Check(CheckScope::Files)),
            Verb::Group(verb) => verb.command(now, zone)?,
            Verb::Guard(verb) => Command::Roll(verb.command()),
            Verb::Suspects(verb) => Command::Roll(verb.command()),
            Verb::Alerts => Command::Roll(RollCommand::Alerts),
            Verb::Compare(arguments) => Command::Compare(arguments.command(now)?),
            Verb::Explain(arguments) => arguments.command()?,
            Verb::Send(arguments) => arguments.command()?,
            Verb::Trace(arguments) => arguments.command(now, zone)?,
            Verb::Queue(verb) => verb.command()?,
            Verb::Moderate(verb) => verb.command(now, zone)?,
            Verb::Watch(arguments) if arguments.follow => {
                return Ok(Asked::Follow(Command::Stop(arguments.command())));
            }
            Verb::Watch(arguments) => Command::Stop(arguments.command()),
            Verb::Stop(arguments) => Command::Stop(arguments.command(now, zone)?),
            Verb::Reload { accept } => Command::Reload {
                guard: if accept {
                    GuardIntent::Accept
                } else {
                    GuardIntent::Respect
                },
            },
            Verb::Status => Command::Status,
            Verb::TlsReports { domain } => Command::Queue(QueueCommand::TlsReports { domain }),
            Verb::Test(verb) => verb.command(),
        }))
    }
}

impl ExplainArguments {
    fn command(self) -> Result<Command, String> {
        let of_client = self.client.is_some() || self.login.is_some() || self.certificate.is_some();
        if of_client && self.via.is_none() {
            let text = "--client, --login and --certificate need --via: who is trusted depends on the listener";
            return Err(text.to_owned());
        }
        let from = if self.from == "<>" { String::new() } else { self.from };
        Ok(Command::Explain(ExplainQuestion {
            from,
            to: self.to,
            author: self.author,
            size_bytes: self.size,
            via: self.via,
            client: self.client,
            login: self.login,
            certificate: self.certificate,
        }))
    }
}

impl TraceArguments {
    fn command(self, now: Timestamp, zone: &TimeZone) -> Result<Command, String> {
        if let (Some(message), Some(recipient)) = (self.message, &self.was) {
            let recipient = recipient.clone();
            return Ok(Command::TraceWas { message, recipient });
        }
        let time = |text: Option<String>| text.map(|text| point_in_time(&text, now, zone)).transpose();
        Ok(Command::Trace(TraceQuery {
            message: self.message,
            from: self.from,
            to: self.to,
            subject: self.subject,
            since: time(self.since)?,
            until: time(self.until)?,
            undelivered: self.undelivered,
            count_max: self.limit,
        }))
    }
}

fn intent(yes: bool) -> Intent {
    if yes { Intent::Do } else { Intent::Say }
}
