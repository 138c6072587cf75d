//! `muster password`: reads a password, writes what it is checked against.

use std::io::{BufRead as _, IsTerminal as _, Write};

use rustix::termios::{self, LocalModes, OptionalActions};

use crate::accounts::file;
use crate::admin::cli::{Exit, PasswordRequest};
use crate::env::Env;
use crate::resolver::AddressPattern;
use crate::smtp::sasl::Secret;

/// Answers the request.
pub fn run(request: &PasswordRequest, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    match line(request, err) {
        Ok(line) => match writeln!(out, "{line}") {
            Ok(()) => Exit::Yes,
            Err(_) => Exit::No,
        },
        Err(fault) => {
            let _ = writeln!(err, "muster: {fault}");
            Exit::Usage
        }
    }
}

fn line(request: &PasswordRequest, err: &mut dyn Write) -> Result<String, String> {
    let patterns = request.send_as.iter().map(|text| text.parse::<AddressPattern>());
    let patterns = patterns
        .collect::<Result<Vec<_>, _>>()
        .map_err(|fault| fault.to_string())?;
    let password = read(&request.account, err)?;
    let mut salt = [0; 16];
    Env::system().chance.fill(&mut salt);
    file::line(&request.account, &password, &patterns, salt)
}

/// The first line of standard input; on a terminal it is not shown.
fn read(account: &str, err: &mut dyn Write) -> Result<Secret, String> {
    let input = std::io::stdin();
    let shown = if input.is_terminal() {
        let _ = write!(err, "Password of {account}: ");
        let _ = err.flush();
        termios::tcgetattr(&input).ok()
    } else {
        None
    };
    if let Some(shown) = &shown {
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        let _ = termios::tcsetattr(&input, OptionalActions::Flush, &hidden);
    }
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    if let Some(shown) = &shown {
        let _ = termios::tcsetattr(&input, OptionalActions::Flush, shown);
        let _ = writeln!(err);
    }
    read.map_err(|fault| format!("the password cannot be read: {fault}"))?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}
