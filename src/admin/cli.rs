//! The command line: arguments in, one answer out, an exit code that scripts can rely on.
//!
//! | code | means |
//! |---|---|
//! | 0 | yes, or done |
//! | 1 | no: refused, differs, not found |
//! | 2 | wrong use, or bad settings |
//! | 3 | the service cannot be reached, or cannot answer now |
//! | 4 | a guard or a permission refused |

mod arguments;
mod exchange;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::answer::{Answer, CheckReport, Meaning, StopAnswer};
use super::client::{self, ClientFault};
use super::command::StopCommand;
use super::render::{Reader, clean, render, render_check};
use super::{Command, RefusalKind};
use crate::env::Env;
pub use arguments::PasswordRequest;
use arguments::{Arguments, Asked};
pub use exchange::{ExportRequest, ImportRequest};

/// How a command ended (DESIGN §9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Yes, or done.
    Yes,
    /// No.
    No,
    /// Wrong use or bad settings.
    Usage,
    /// Service not reachable.
    Unreachable,
    /// Refused by a guard.
    Guard,
}

impl Exit {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Guard => 4,
        }
    }
}

impl From<Meaning> for Exit {
    fn from(meaning: Meaning) -> Self {
        match meaning {
            Meaning::Yes => Self::Yes,
            Meaning::No => Self::No,
            Meaning::Unusable => Self::Usage,
            Meaning::Guarded => Self::Guard,
        }
    }
}

/// How much is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// Nothing; the exit code is the answer.
    Quiet,
}

/// What a check looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckScope {
    /// Files.
    Files,
    /// Files, and what DNS says of our keys.
    FilesAndDns,
}

/// What the command line does in its own process, without a running service.
pub trait Local {
    /// Runs the service until it is told to stop.
    fn serve(&self, settings: &Path) -> Exit;

    /// Runs the demonstration.
    fn demo(&self, output: Output) -> Exit;

    /// Checks settings and directory files; finds everything at once.
    fn check(&self, settings: &Path, scope: CheckScope) -> CheckReport;

    /// Imports a directory from files.
    fn import(&self, request: &ImportRequest, now: Timestamp, out: &mut dyn Write, err: &mut dyn Write) -> Exit;

    /// Exports the directory of the service behind a socket.
    fn export(&self, request: &ExportRequest, socket: &Path, out: &mut dyn Write, err: &mut dyn Write) -> Exit;

    /// Reads a password and writes the line of an account.
    fn password(&self, request: &PasswordRequest, out: &mut dyn Write, err: &mut dyn Write) -> Exit;

    /// Where the service with these settings has its socket; the text says what is wrong with them.
    fn socket(&self, settings: &Path) -> Result<PathBuf, String>;
}

/// Where and when the command line runs.
pub struct Surroundings<'a> {
    /// What runs in this process.
    pub local: &'a dyn Local,
    /// Now.
    pub now: Timestamp,
    /// The reader's time zone.
    pub zone: TimeZone,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
}

/// Runs the command line with the process's own surroundings. The first argument is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>, local: &dyn Local) -> ExitCode {
    let exit = run_in(
        arguments,
        &mut Surroundings {
            local,
            now: Env::system().clock.now(),
            zone: TimeZone::system(),
            out: &mut io::stdout(),
            err: &mut io::stderr(),
        },
    );
    ExitCode::from(exit.code())
}

/// Runs the command line in given surroundings.
pub fn run_in(arguments: impl IntoIterator<Item = OsString>, around: &mut Surroundings<'_>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(fault) => {
            let text = fault.render();
            if fault.use_stderr() {
                say(around.err, &text.to_string());
                return Exit::Usage;
            }
            say(around.out, &text.to_string());
            return Exit::Yes;
        }
    };
    let output = arguments.output();
    let (settings, socket) = (arguments.config.clone(), arguments.socket.clone());
    match arguments.asked(around.now, &around.zone) {
        Err(message) => usage(around, output, &message),
        Ok(Asked::Serve) => around.local.serve(&settings),
        Ok(Asked::Demo) => around.local.demo(output),
        Ok(Asked::Password(request)) => around.local.password(&request, around.out, around.err),
        Ok(Asked::Import(request)) => around.local.import(&request, around.now, around.out, around.err),
        Ok(Asked::Export(request)) => match socket.map_or_else(|| around.local.socket(&settings), Ok) {
            Ok(socket) => around.local.export(&request, &socket, around.out, around.err),
            Err(message) => usage(around, output, &message),
        },
        Ok(Asked::Check(scope)) => check(around, output, &settings, scope),
        Ok(Asked::Follow(command)) => match socket.map_or_else(|| around.local.socket(&settings), Ok) {
            Ok(socket) => follow(around, output, &socket, command),
            Err(message) => usage(around, output, &message),
        },
        Ok(Asked::Service(command)) => match socket.map_or_else(|| around.local.socket(&settings), Ok) {
            Ok(socket) => ask(around, output, &socket, &command),
            Err(message) => usage(around, output, &message),
        },
    }
}

fn check(around: &mut Surroundings<'_>, output: Output, settings: &Path, scope: CheckScope) -> Exit {
    let report = around.local.check(settings, scope);
    match output {
        Output::Text => say(around.out, &render_check(&report)),
        Output::Json => json(around.out, &report),
        Output::Quiet => true,
    };
    report.meaning().into()
}

/// Shows an answer whenever it differs from the one before, until the service or the reader has gone.
fn follow(around: &mut Surroundings<'_>, output: Output, socket: &Path, mut command: Command) -> Exit {
    let mut shown = None;
    loop {
        let answer = match client::ask(socket, &command) {
            Ok(answer) => answer,
            Err(fault) => return refused(around, output, &fault),
        };
        if let (Command::Stop(StopCommand::Watch { after, .. }), Answer::Stop(StopAnswer::Watch(watch))) =
            (&mut command, &answer)
        {
            *after = Some(watch.changes);
        }
        if shown.as_ref() != Some(&answer) && !show(around, output, &answer) {
            return answer.meaning().into();
        }
        shown = Some(answer);
    }
}

fn ask(around: &mut Surroundings<'_>, output: Output, socket: &Path, command: &Command) -> Exit {
    let answer = match client::ask(socket, command) {
        Ok(answer) => answer,
        Err(fault) => return refused(around, output, &fault),
    };
    show(around, output, &answer);
    answer.meaning().into()
}

/// False if nobody reads it.
fn show(around: &mut Surroundings<'_>, output: Output, answer: &Answer) -> bool {
    match output {
        Output::Text => {
            let reader = Reader {
                zone: around.zone.clone(),
                now: around.now,
            };
            say(around.out, &render(answer, &reader))
        }
        Output::Json => content(around.out, answer),
        Output::Quiet => false,
    }
}

fn refused(around: &mut Surroundings<'_>, output: Output, fault: &ClientFault) -> Exit {
    let (kind, exit) = match fault {
        ClientFault::Unreachable { .. } => ("unreachable", Exit::Unreachable),
        ClientFault::Garbled(_) => ("garbled", Exit::Unreachable),
        ClientFault::Refused(refusal) => match refusal.kind {
            RefusalKind::NotFound => ("not_found", Exit::No),
            RefusalKind::Usage => ("usage", Exit::Usage),
            RefusalKind::Busy => ("busy", Exit::Unreachable),
            RefusalKind::Guard => ("guard", Exit::Guard),
            RefusalKind::Broken => ("broken", Exit::Unreachable),
        },
    };
    complain(around, output, kind, &fault.to_string(), fault.advice());
    exit
}

fn usage(around: &mut Surroundings<'_>, output: Output, message: &str) -> Exit {
    complain(around, output, "usage", message, None);
    Exit::Usage
}

/// Why there is no answer: for people on standard error, for programs on standard output.
fn complain(around: &mut Surroundings<'_>, output: Output, kind: &str, message: &str, advice: Option<&str>) {
    #[derive(Serialize)]
    struct Complaint<'a> {
        refusal: Words<'a>,
    }
    #[derive(Serialize)]
    struct Words<'a> {
        kind: &'a str,
        message: &'a str,
    }
    if output == Output::Json {
        let refusal = Words { kind, message };
        json(around.out, &Complaint { refusal });
        return;
    }
    let mut text = String::from("muster: ");
    // A message may have several lines (where a setting stands); control characters it may not have.
    for line in message.lines() {
        text.push_str(&format!("{}\n", clean(line)));
    }
    if let Some(advice) = advice {
        text.push_str(&format!("{advice}\n"));
    }
    say(around.err, &text);
}

/// The content of an answer without its envelope.
fn content(out: &mut dyn Write, answer: &Answer) -> bool {
    let mut value = serde_json::to_value(answer).expect("answers are plain structs with text keys");
    json(out, &value["content"].take())
}

fn json(out: &mut dyn Write, value: &impl Serialize) -> bool {
    let text = serde_json::to_string_pretty(value).expect("answers are plain structs with text keys");
    say(out, &format!("{text}\n"))
}

/// A reader who has gone away (`muster … | head`) is no fault of ours; false if so.
fn say(out: &mut dyn Write, text: &str) -> bool {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

#[cfg(test)]
mod tests;
