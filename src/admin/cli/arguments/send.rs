//! `send`: a message on trial, to nobody or to one person only.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{ArgGroup, Args};

use super::super::values::size_in_octets;
use crate::admin::Command;
use crate::admin::command::{ExplainQuestion, SendOrder};
use crate::limits::TEST_MESSAGE_OCTETS_MAX;

pub(super) const SEND_EXAMPLES: &str = "\
With --dry-run nothing is sent or queued: the message is judged by the code that delivers, with its own fields (thread,
Bcc, report, loop marks), as a stranger's and as a proven internal sender's. With --only it is expanded as delivery
would, and one copy goes to that person: its subject begins with [TEST, sent to you only], and it is tracked under the
listener `test`. `--only me` is the address of --from.

Examples:
  muster send --dry-run --from cfo@contoso.example --to all-staff@contoso.example --size 12M
  muster send --dry-run --from cfo@contoso.example --to all-staff@contoso.example bonus.eml
  muster send --only me --from cfo@contoso.example --to all-staff@contoso.example bonus.eml";

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("how").args(["dry_run", "only"]).required(true)))]
pub(super) struct SendArguments {
    /// Send nothing; say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Send it to this address only, or to `me`.
    #[arg(long, value_name = "ADDRESS", requires = "file")]
    only: Option<String>,
    /// Sender (reverse-path).
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// Recipient or group.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// Size to judge by, instead of that of the file: 4096, 300K, 12M.
    #[arg(long, value_name = "SIZE", value_parser = size_in_octets)]
    size: Option<u64>,
    /// The message as it would be sent; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl SendArguments {
    pub(super) fn command(self) -> Result<Command, String> {
        let only = self
            .only
            .map(|only| if only == "me" { self.from.clone() } else { only });
        Ok(Command::SendTest(SendOrder {
            message: self.file.as_deref().map(message).transpose()?,
            only,
            question: ExplainQuestion {
                from: if self.from == "<>" { String::new() } else { self.from },
                to: self.to,
                author: None,
                size_bytes: self.size,
                via: None,
                client: None,
                login: None,
                certificate: None,
            },
        }))
    }
}

/// The message in base64, its lines ended as SMTP ends them.
fn message(file: &Path) -> Result<String, String> {
    let mut octets = Vec::new();
    let most = TEST_MESSAGE_OCTETS_MAX as u64 + 1;
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut octets)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut octets))
    };
    read.map_err(|fault| format!("{}: {fault}", file.display()))?;
    let mut ended = Vec::with_capacity(octets.len() + octets.len() / 32);
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let bare = line
            .strip_suffix(b"\n")
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        ended.extend_from_slice(bare.unwrap_or(line));
        ended.extend_from_slice(b"\r\n");
    }
    if ended.len() > TEST_MESSAGE_OCTETS_MAX {
        let most = TEST_MESSAGE_OCTETS_MAX / (1024 * 1024);
        return Err(format!(
            "{}: a test is at most {most}M; try --dry-run with --size",
            file.display()
        ));
    }
    Ok(BASE64.encode(ended))
}
