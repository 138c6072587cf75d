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

    fn check(&self, settings: &Path, _scope: CheckScope) -> CheckReport {
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

    fn password(&self, request: &PasswordRequest, out: &mut dyn Write, _err: &mut dyn Write) -> Exit {
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
            (
                "group members all-staff@contoso.example --at monday",
                0,
                "at 2026-11-16T00:00:00+00:00",
            ),
            (
                "group why a@x.example b@x.example --as b@x.example --at 2h",
                1,
                "not a member",
            ),
            ("group preview --filter (Office-eq'Berlin')", 0, "16 recipients"),
            (
                "group preview berlin@contoso.example --filter x --save --reason codes",
                0,
                "saved as the rule of the group",
            ),
            (
                "group filter berlin@contoso.example --as ldap",
                0,
                "(physicalDeliveryOfficeName=Berlin)",
            ),
            (
                "group filter --filter x --language opath --as entra",
                1,
                "cannot be said in entra",
            ),
            ("group plan berlin@contoso.example", 0, "look-up"),
            ("group lint", 1, "other-spelling"),
            ("group lint berlin@contoso.example", 0, "nothing odd: 1 rule looked at"),
            (
                "group propose hr-all@contoso.example",
                0,
                "covers 139; would add 2; 3 stay as pinned",
            ),
            (
                "group diff board@contoso.example --from 2026-03-01 --to 2026-04-01",
                0,
                "+ a.vogt@contoso.example",
            ),
            ("group history berlin@contoso.example --limit 1", 0, "v813"),
            ("group refresh berlin@contoso.example", 0, "computed again: 30 lists"),
            ("group refresh --all", 0, "add --yes"),
            (
                "group refresh --container OU=Berlin,DC=contoso --yes",
                0,
                "computed again",
            ),
            (
                "group refresh --recipient lena@contoso.example --yes",
                0,
                "computed again",
            ),
            ("group verify", 0, "no difference"),
            ("group verify berlin@contoso.example", 1, "1 differed and were repaired"),
            (
                "group pin projectx@contoso.example --include k.b@contoso.example --until 2026-12-04 --reason cover",
                0,
                "k.b@contoso.example is pinned in projectx@contoso.example until 2026-12-04T00:00:00+00:00",
            ),
            (
                "group pin all@contoso.example --exclude p.w@contoso.example --as eva@contoso.example",
                0,
                "is kept out of",
            ),
            (
                "group unpin projectx@contoso.example k.b@contoso.example",
                0,
                "is no longer pinned",
            ),
            ("group pins projectx@contoso.example", 0, "holiday cover"),
            (
                "group pins projectx@contoso.example --as k.b@contoso.example",
                0,
                "no pins",
            ),
            (
                "group convert hr@contoso.example --to dynamic --accept-proposal --exclude m.roth,t.ito",
                0,
                "membership before and after: identical (142)",
            ),
            (
                "group convert hr@contoso.example --to dynamic --filter x",
                4,
                "--accept-difference",
            ),
            (
                "group convert hr@contoso.example --to dynamic --filter x --accept-difference",
                0,
                "is dynamic now",
            ),
            (
                "group convert hr@contoso.example --to static --at 2026-11-01",
                0,
                "is static now",
            ),
            (
                "group convert hr@contoso.example --undo",
                0,
                "is what its source says now",
            ),
            ("group freeze hr@contoso.example", 0, "is static now"),
            ("group stale berlin@contoso.example", 0, "refused for good 3 times"),
            ("guard list", 0, "would remove 402 of 418"),
            ("guard show berlin@contoso.example", 0, "Office changed from"),
            (
                "guard accept berlin@contoso.example --reason codes --by eva",
                0,
                "accepted by eva: v813 serves",
            ),
            ("guard reject berlin@contoso.example", 0, "rejected by eva"),
            ("alerts", 1, "GUARD  berlin@contoso.example"),
            ("suspects list", 0, "550 5.1.1 unknown"),
            ("suspects suppress old@partner.example --reason gone", 0, "suppressed"),
            ("suspects clear old@partner.example", 1, "nothing changed"),
            (
                "group preview berlin@contoso.example --filter x --sample 2",
                0,
                "1 would join, 403 would leave",
            ),
            (
                "compare --with exchange-log /var/log/tracking --days 14",
                1,
                "Department was \"Sales \" (blank at the end) until 2026-11-03T07:00:00+00:00 (hr)",
            ),
            (
                "group cutover all-berlin@contoso.example",
                0,
                "is expanded here from now on",
            ),
            (
                "group cutover all-berlin@contoso.example --undo",
                0,
                "by the service before again",
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
                "trace --message 0192f5c4-7a31-7c2e-9f10-2f6f0c1b8a44 --was lena@contoso.example",
                0,
                "yes: lena@contoso.example was in list v812 of all-staff@contoso.example > berlin@contoso.example",
            ),
            (
                "trace --message 0192f5c4-7a31-7c2e-9f10-2f6f0c1b8a44 --was jonas@contoso.example",
                1,
                "; joined at 2026-03-14T09:12:00+00:00: Title changed",
            ),
            (
                "queue list --nexthop cloud --rcpt lena@contoso.example",
                0,
                "421 4.7.500",
            ),
            ("watch --group all-staff@contoso.example", 0, "42 replies in 3 min"),
            ("stop --thread <a1@contoso.example>", 0, "held 17 messages"),
            ("stop --thread <a1@contoso.example> --drop", 0, "add --yes"),
            (
                "stop --group all-staff@contoso.example --for 2h --reason storm",
                0,
                "to end it: muster stop lift x-3",
            ),
            ("stop list", 0, "139,638"),
            ("stop lift x-3", 0, "ended: x-3"),
            (
                "send --dry-run --from a@x.example --to b@y.example --size 12M",
                1,
                "nothing was sent",
            ),
            (
                "tls-reports",
                0,
                "103 x certificate-expired at mx1.fabrikam.example [203.0.113.56]",
            ),
            ("tls-reports --domain off.example", 0, "No reports are made"),
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
            (
                "moderate reject --group all-staff@contoso.example --older 3d --operator",
                0,
                "would refuse 287 messages from 190 senders\nnothing was changed",
            ),
            (
                "moderate reject --from x@y.example --operator --yes",
                0,
                "refused: 287 messages from 190 senders",
            ),
            ("reload", 4, "held back: 20 of 43"),
            ("reload --accept", 0, "25M -> 40M"),
            ("check", 0, "ok: 1 listener"),
            ("check --dns", 0, "ok: 1 listener"),
            (
                "test spoof --group all-staff@contoso.example",
                1,
                "2 of 3 refused, 1 of them held for a decision: all-staff@contoso.example",
            ),
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
        ("stop", "required arguments"),
        ("send --from a@x.example --to b@y.example", "required arguments"),
        ("send --only me --from a@x.example --to b@y.example", "required"),
        (
            "send --dry-run --from a@x.example --to b@y.example /nowhere/x.eml",
            "x.eml",
        ),
        ("stop --group g@y.example --yes", "--drop"),
        ("stop --group g@y.example --lift --drop", "cannot be used with"),
        ("stop --group g@y.example --for 0s", "which has passed"),
        ("group preview berlin@contoso.example", "--filter"),
        ("group preview --filter x --language klingon", "klingon"),
        ("group preview --filter x --save", "required"),
        ("group filter --as ldap", "required"),
        ("group filter a@x.example", "--as"),
        ("group plan a@x.example --language ldap", "--filter"),
        ("group members a@x.example --at soon", "not a time"),
        ("group diff a@x.example", "--from"),
        ("group diff a@x.example --from today --to yesterday", "is after --to"),
        ("group history a@x.example --limit 0", "--limit"),
        ("group refresh", "name what to refresh"),
        ("group refresh a@x.example --all", "cannot be used with"),
        ("group pin a@x.example", "--include"),
        ("group pin a@x.example --include b --exclude c", "cannot be used with"),
        ("group pin a@x.example --include b --until yesterday", "has passed"),
        ("group convert a@x.example", "--to"),
        (
            "group convert a@x.example --to dynamic",
            "needs --accept-proposal or --filter",
        ),
        (
            "group convert a@x.example --to static --filter x",
            "--filter is for --to dynamic",
        ),
        (
            "group convert a@x.example --to static --accept-proposal",
            "--accept-proposal is for",
        ),
        (
            "group convert a@x.example --to dynamic --accept-proposal --at 2h",
            "--at is for --to static",
        ),
        ("group convert a@x.example --undo --to static", "cannot be used with"),
        ("guard accept", "required"),
        ("suspects suppress", "required"),
        ("group preview --filter x --sample 100000", "--sample"),
        ("explain --from a@x.example", "--to"),
        ("explain --from a --to b --size big", "not a size"),
        ("explain --from a --to b --client 192.0.2.1", "--certificate need --via"),
        ("explain --from a --to b --via x --client here", "--client"),
        ("trace --since soon", "not a time"),
        ("trace --limit 0", "--limit"),
        ("trace --message 17", "not a message id"),
        ("trace --was lena@contoso.example", "--message"),
        ("queue show 12", "not a delivery set"),
        ("queue drop --yes", "name what to drop"),
        ("moderate approve 17 --as eva@contoso.example", "not a hold id"),
        ("moderate approve m-17", "--as"),
        ("moderate approve --operator", "HOLD"),
        (
            "moderate reject m-17 --group x@y.example --operator",
            "cannot be used with",
        ),
        (
            "moderate reject --group x@y.example --operator --yes --dry-run",
            "cannot be used with",
        ),
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
        ("group why --help", "--list"),
        ("group preview --help", "an Entra membership rule"),
        ("group pin --help", "--until 2026-12-04"),
        ("group convert --help", "exit code 4"),
        ("guard reject --help", "within its limits again"),
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
