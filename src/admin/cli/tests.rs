//! The command line against a service on a real socket: what it prints, and how it ends.

use std::sync::Arc;

use super::*;
use crate::admin::answer::{Finding, Severity};
use crate::admin::socket::AdminSocket;
use crate::admin::testing::{Sample, now};

/// Local work that is not under test; its socket is told, its check finds what it is told.
struct Here {
    socket: PathBuf,
    findings: Vec<Finding>,
}

impl Local for Here {
    fn serve(&self, _settings: &Path) -> Exit {
        Exit::Yes
    }

    fn demo(&self, _output: Output) -> Exit {
        Exit::No
    }

    fn check(&self, settings: &Path) -> CheckReport {
        CheckReport {
            settings: settings.display().to_string(),
            findings: self.findings.clone(),
            summary: "1 listener".to_owned(),
        }
    }

    fn import(&self, request: &ImportRequest, _now: Timestamp, out: &mut dyn Write, _err: &mut dyn Write) -> Exit {
        let _ = writeln!(out, "{request:?}");
        Exit::Yes
    }

    fn export(&self, request: &ExportRequest, _socket: &Path, out: &mut dyn Write, _err: &mut dyn Write) -> Exit {
        let _ = writeln!(out, "{request:?}");
        Exit::Yes
    }

    fn socket(&self, settings: &Path) -> Result<PathBuf, String> {
        if settings.ends_with("broken.toml") {
            return Err("broken.toml: line 3: unknown key".to_owned());
        }
        Ok(self.socket.clone())
    }
}

/// Runs a command; returns exit code, output and error output.
fn command(here: &Here, line: &str) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = ["muster"].into_iter().chain(line.split(' ')).map(OsString::from);
    let exit = run_in(
        arguments,
        &mut Surroundings {
            local: here,
            now: now(),
            zone: TimeZone::UTC,
            out: &mut out,
            err: &mut err,
        },
    );
    let text = |octets| String::from_utf8(octets).expect("UTF-8");
    (exit.code(), text(out), text(err))
}

/// Runs `check` while a sample service answers on a socket in a directory of its own.
fn with_service(check: impl FnOnce(&Here)) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let here = Here {
        socket: directory.path().join("muster.sock"),
        findings: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let socket = runtime.block_on(AdminSocket::bind(&here.socket)).expect("bound");
    runtime.spawn(socket.serve(Arc::new(Sample)));
    check(&here);
}

#[test]
fn every_command_has_its_exit_code() {
    with_service(|here| {
        for (line, code, shows) in [
            ("status", 0, "state       ready"),
            ("group list", 0, "all-staff@contoso.example"),
            (
                "group show all-staff@contoso.example",
                0,
                "owners      eva@contoso.example",
            ),
            ("group show nobody@contoso.example", 1, ""),
            ("group members all-staff@contoso.example --all", 0, "Lena Böhm"),
            (
                "group why berlin@contoso.example jonas@contoso.example",
                1,
                "not a member",
            ),
            (
                "group why berlin@contoso.example jonas@contoso.example --list",
                1,
                "without the blank",
            ),
            ("group preview --filter (Office-eq'Berlin')", 0, "16 recipients"),
            (
                "group preview berlin@contoso.example --filter x --sample 2",
                0,
                "1 would join, 403 would leave",
            ),
            ("explain --from a@x.example --to b@y.example", 1, "as a stranger:"),
            (
                "explain --from a@x.example --to b@y.example --via relay --client 127.0.0.1",
                0,
                "accepted",
            ),
            ("trace --to lena@contoso.example --since monday", 0, "DELIVERED"),
            ("trace --to nobody@contoso.example", 1, "nothing found"),
            (
                "queue list --nexthop cloud --rcpt lena@contoso.example",
                0,
                "421 4.7.500",
            ),
            ("queue summary", 0, "61,204"),
            ("queue show s-12", 0, "8,210 relayed"),
            ("queue retry", 0, "would retry 3 recipients"),
            ("queue retry --yes", 0, "made due: 3 recipients"),
            ("queue drop s-12", 0, "add --yes"),
            (
                "queue drop s-12 --yes",
                0,
                "dropped: 3 recipients of 1 message in 1 delivery set",
            ),
            ("moderate list", 0, "m-17"),
            ("moderate show m-17", 0, "waiting"),
            (
                "moderate approve m-17 --as eva@contoso.example",
                0,
                "m-17 approved: 8,214 recipients",
            ),
            (
                "moderate approve m-18 --as eva@contoso.example",
                1,
                "already approved by eva@contoso.example",
            ),
            (
                "moderate reject m-17 --as eva@contoso.example --comment no",
                0,
                "m-17 rejected",
            ),
            ("reload", 4, "held back: 20 of 43"),
            ("reload --accept", 0, "25M -> 40M"),
            ("check", 0, "ok: 1 listener"),
            ("serve", 0, ""),
            ("demo", 1, ""),
        ] {
            let (exit, out, err) = command(here, line);
            assert_eq!(exit, code, "{line}\n{out}{err}");
            assert!(out.contains(shows), "{line}\n{out}{err}");
            let (exit, out, _) = command(here, &format!("{line} --quiet"));
            assert_eq!((exit, out.as_str()), (code, ""), "{line} --quiet");
            if !matches!(line, "serve" | "demo") {
                let (exit, out, _) = command(here, &format!("--json {line}"));
                assert_eq!(exit, code, "--json {line}");
                assert!(
                    serde_json::from_str::<serde_json::Value>(&out).is_ok(),
                    "--json {line}\n{out}"
                );
            }
        }
    });
}

#[test]
fn wrong_use_is_told_and_asks_nobody() {
    let here = Here {
        socket: PathBuf::from("/nonexistent/muster.sock"),
        findings: Vec::new(),
    };
    for (line, told) in [
        ("", "Usage"),
        ("sing", "unrecognized subcommand"),
        ("group show", "required"),
        ("group preview berlin@contoso.example", "--filter"),
        ("group preview --filter x --language klingon", "klingon"),
        ("group preview --filter x --sample 100000", "--sample"),
        ("explain --from a@x.example", "--to"),
        ("explain --from a --to b --size big", "not a size"),
        ("explain --from a --to b --client 192.0.2.1", "--client needs --via"),
        ("explain --from a --to b --via x --client here", "--client"),
        ("trace --since soon", "not a time"),
        ("trace --limit 0", "--limit"),
        ("trace --message 17", "not a message id"),
        ("queue show 12", "not a delivery set"),
        ("queue drop --yes", "name what to drop"),
        ("moderate approve 17 --as eva@contoso.example", "not a hold id"),
        ("moderate approve m-17", "--as"),
        ("status --json --quiet", "cannot be used with"),
        ("status --config broken.toml", "line 3: unknown key"),
    ] {
        let (exit, out, err) = command(&here, line);
        assert_eq!(exit, 2, "{line}\n{out}{err}");
        assert!(err.contains(told) && out.is_empty(), "{line}\n{out}{err}");
    }
}

#[test]
fn help_is_for_newcomers() {
    let here = Here {
        socket: PathBuf::new(),
        findings: Vec::new(),
    };
    for (line, shows) in [
        ("--help", "muster demo"),
        ("--help", "Exit codes"),
        ("explain --help", "--via inbound"),
        ("trace --help", "--since monday"),
        ("queue drop --help", "without telling the sender"),
        ("--version", "muster"),
    ] {
        let (exit, out, err) = command(&here, line);
        assert_eq!(exit, 0, "{line}");
        assert!(out.contains(shows) && err.is_empty(), "{line}\n{out}{err}");
    }
}

#[test]
fn a_service_that_is_not_there_is_3() {
    let here = Here {
        socket: PathBuf::from("/nonexistent/muster.sock"),
        findings: Vec::new(),
    };
    let (exit, out, err) = command(&here, "status");
    assert_eq!((exit, out.as_str()), (3, ""));
    assert!(
        err.contains("cannot be reached at /nonexistent/muster.sock") && err.contains("muster serve"),
        "{err}"
    );
    let (exit, out, _) = command(&here, "status --json");
    assert_eq!(exit, 3);
    assert!(out.contains("\"kind\": \"unreachable\""), "{out}");
}

#[test]
fn check_with_errors_is_2() {
    let finding = |severity, suggestion: Option<&str>| Finding {
        severity,
        file: Some("muster.toml".to_owned()),
        line: Some(3),
        column: Some(1),
        message: "unknown key `hostnam`".to_owned(),
        suggestion: suggestion.map(str::to_owned),
    };
    let mut here = Here {
        socket: PathBuf::new(),
        findings: vec![finding(Severity::Warning, None)],
    };
    let (exit, out, _) = command(&here, "check --config muster.toml");
    assert_eq!(
        (exit, out.as_str()),
        (
            0,
            "muster.toml:3:1: warning: unknown key `hostnam`\nok: 1 listener; 1 warning\n"
        )
    );
    here.findings
        .push(finding(Severity::Error, Some("did you mean `hostname`?")));
    let (exit, out, _) = command(&here, "check --config muster.toml");
    assert_eq!(exit, 2);
    assert!(out.ends_with(
        "muster.toml:3:1: error: unknown key `hostnam`\n    did you mean `hostname`?\nmuster.toml: 1 error, 1 warning\n"
    ), "{out}");
}
