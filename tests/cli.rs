//! The program as an administrator meets it: the real binary, its words and its exit codes (DESIGN §9).

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// Runs `muster` with arguments and waits for its end.
fn muster(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("muster runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A folder with the quickstart settings on ports that the system chooses, and the example organisation.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Self { folder };
        copy(&shipped("example"), &home.path("example"));
        let settings = std::fs::read_to_string(shipped("quickstart.toml")).expect("shipped");
        let settings = settings
            .replace("127.0.0.1:2525", "127.0.0.1:0")
            .replace("127.0.0.1:2526", "127.0.0.1:0");
        home.write("muster.toml", &settings);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("there")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writable");
    }

    fn run(&self, arguments: &str) -> Output {
        let settings = self.path("muster.toml");
        let mut all = vec!["--config", text(&settings)];
        all.extend(arguments.split_whitespace());
        muster(&all)
    }

    /// The exit code and everything said, on either stream.
    fn said(&self, arguments: &str) -> (Option<i32>, String) {
        let output = self.run(arguments);
        (output.status.code(), out(&output) + &err(&output))
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a new folder");
    for entry in std::fs::read_dir(from).expect("shipped") {
        let entry = entry.expect("readable");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// `muster serve`, ended with the test.
struct Serving {
    child: Child,
    greeting: String,
    /// Kept open: a service that cannot write does not fail because of its reader.
    _stdout: BufReader<ChildStdout>,
}

impl Serving {
    fn start(home: &Home) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["serve", "--config", text(&home.path("muster.toml"))])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("muster runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut greeting = String::new();
        while !greeting.ends_with("ready\n") {
            assert_ne!(
                stdout.read_line(&mut greeting).expect("UTF-8"),
                0,
                "ended after: {greeting}"
            );
        }
        Self {
            child,
            greeting,
            _stdout: stdout,
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn help_is_help_and_wrong_use_is_2() {
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["group", "why", "--help"], 0),
        (&["--version"], 0),
        (&[], 2),
        (&["stauts"], 2),
        (&["explain", "--from", "a@x.example"], 2),
        (&["queue", "show", "12"], 2),
        (&["trace", "--since", "tomorrow"], 2),
        (&["moderate", "approve", "m-1"], 2),
    ] {
        let output = muster(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", err(&output));
        let streams = (output.stdout.is_empty(), output.stderr.is_empty());
        assert_eq!(streams, (code != 0, code == 0), "{arguments:?}");
    }
}

#[test]
fn settings_that_are_not_there_are_named_with_what_to_do() {
    for verb in ["status", "serve"] {
        let output = muster(&[verb, "--config", "/nowhere/muster.toml"]);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("/nowhere/muster.toml") && said.contains("--config"),
            "{said}"
        );
    }
}

#[test]
fn a_service_that_does_not_run_is_3() {
    let home = Home::new();
    for verb in ["status", "group list", "reload", "queue list", "moderate list", "trace"] {
        let (code, said) = home.said(verb);
        assert_eq!(code, Some(3), "{verb}: {said}");
        assert!(said.contains("control.sock") && said.contains("muster serve"), "{said}");
    }
}

#[test]
fn shipped_settings_pass_the_check() {
    for name in ["quickstart.toml", "minimal.toml", "muster.toml"] {
        let home = Home::new();
        let settings = std::fs::read_to_string(shipped(name)).expect("shipped");
        // The folder of a real deployment is the administrator's; here it is the example.
        home.write(
            "muster.toml",
            &settings.replace("path = \"directory\"", "path = \"example\""),
        );
        let (code, said) = home.said("check");
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(said.contains("1 source, 177 recipients, 34 groups"), "{name}: {said}");
    }
}

/// Changes to the quickstart settings, with the place and the words of the finding.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "data_dir",
        "data_dri",
        ": error: unknown key `data_dri`\n    did you mean data_dir?\n",
    ),
    (
        "\"inbound\"\n\n",
        "\"inbuond\"\n\n",
        "expected \"inbound\", \"relay\" or \"submission\", found \"inbuond\"",
    ),
    (
        "default = \"onprem\"",
        "default = \"onprm\"",
        ":11: error: there is no next hop \"onprm\"\n    did you mean onprem?\n",
    ),
    (
        "127.0.0.1:0",
        "127.0.0.1:smtp",
        "expected an IP address and a port such as",
    ),
    (
        "[\"contoso.example\"]",
        "\"contoso.example\"",
        ":20: error: expected a list",
    ),
    ("\"example\"\n\n", "\"exmple\"\n\n", "source `example` has no folder"),
    (
        "drop_directory = \"drop/cloud\"",
        "",
        "one of `hosts`, `mx` and `drop_directory` is missing",
    ),
];

#[test]
fn a_mistake_in_the_settings_is_found_with_its_place() {
    for (right, wrong, expected) in MISTAKES {
        let home = Home::new();
        let settings = home.read("muster.toml");
        let at = settings.find(right).expect("the shipped text");
        home.write("muster.toml", &settings.replacen(right, wrong, 1));
        let line = settings[..at].lines().count();
        let (code, said) = home.said("check");
        assert_eq!(code, Some(2), "{wrong}: {said}");
        assert!(said.contains(expected), "{wrong}: {said}");
        let place = |line: usize| said.contains(&format!("muster.toml:{line}:"));
        assert!(
            (line.saturating_sub(1)..=line + 1).any(place),
            "{wrong} near {line}: {said}"
        );
        assert_eq!(
            home.run("serve").status.code(),
            Some(2),
            "{wrong}: it does not start either"
        );
    }
}

#[test]
fn a_mistake_in_a_directory_file_is_found_with_its_place_and_nothing_follows_from_it() {
    let home = Home::new();
    let groups = home.read("example/groups.toml");
    home.write(
        "example/groups.toml",
        &groups.replacen("primary_smtp", "primry_smtp", 1),
    );
    let (code, said) = home.said("check");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("did you mean primary_smtp_address?"), "{said}");
    let line = groups
        .lines()
        .position(|line| line.starts_with("primary_smtp"))
        .expect("there")
        + 1;
    assert!(
        said.contains(&format!("groups.toml:{line}:1: error: unknown key")),
        "{said}"
    );
    assert!(!said.contains("postmaster"), "{said}");
}

#[test]
fn moderators_who_cannot_be_asked_are_found_before_mail_waits_for_them() {
    let home = Home::new();
    let groups = home.read("example/groups.toml");
    let at = groups.find("moderated_by = [").expect("a moderated group") + "moderated_by = [".len();
    let (start, end) = groups.split_at(at);
    home.write(
        "example/groups.toml",
        &format!("{start}\"who.left@contoso.example\", {end}"),
    );
    let (code, said) = home.said("check");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("moderator `who.left@contoso.example`: nobody has this address"),
        "{said}"
    );
}

/// What a running service answers: arguments, exit code, words.
const ANSWERS: &[(&str, i32, &str)] = &[
    ("status", 0, "177 recipients, 34 groups"),
    ("group list", 0, "all-staff@contoso.example"),
    ("group show leadership@contoso.example", 0, "internal only"),
    ("group show nobody@contoso.example", 1, "nobody has the address or name"),
    (
        "group why berlin@contoso.example bjoern.boernsen@contoso.example",
        0,
        "clause Office -eq 'Berlin'",
    ),
    (
        "group why vienna@contoso.example bjoern.boernsen@contoso.example",
        1,
        "stored value \"Berlin\"",
    ),
    ("group members bjoern.boernsen@contoso.example", 1, "is not a group"),
    (
        "explain --from a@x.example --to all-staff@contoso.example",
        0,
        "120 recipients: 60 cloud, 60 onprem",
    ),
    (
        "explain --from a@x.example --to leadership@contoso.example",
        1,
        "refused 550 5.7.133",
    ),
    (
        "explain --from a@x.example --to all-staff@contoso.example --size 1G",
        1,
        "refused 552 5.3.4",
    ),
    ("explain --from a --to all-staff@contoso.example", 2, "no @"),
    (
        "explain --from a@x.example --to b@contoso.example --via nowhere",
        2,
        "there are inbound, relay",
    ),
    ("trace --to nobody@contoso.example", 1, "nothing found"),
    ("queue list", 0, "the queue is empty"),
    (
        "queue list --nexthop clod",
        2,
        "there is no next hop `clod`; there are cloud, onprem",
    ),
    ("queue show s-99", 1, "there is no delivery set s-99"),
    ("queue drop", 2, "name what to drop"),
    ("moderate list", 0, "nothing waits for a moderator"),
    ("moderate show m-99", 1, "there is no hold m-99"),
    ("reload", 0, "nothing has changed"),
];

#[test]
fn a_running_service_answers_and_says_what_to_try() {
    let home = Home::new();
    let serving = Serving::start(&home);
    for (arguments, code, words) in ANSWERS {
        let (found, said) = home.said(arguments);
        assert_eq!(found, Some(*code), "{arguments}: {said}");
        assert!(said.contains(words), "{arguments}: {said}");
        if found != Some(2) {
            let json = home.run(&format!("{arguments} --json"));
            assert_eq!(json.status.code(), Some(*code), "{arguments} --json");
            serde_json::from_slice::<serde_json::Value>(&json.stdout).expect("one JSON document");
        }
        let quiet = home.run(&format!("{arguments} --quiet"));
        assert_eq!(
            (quiet.status.code(), out(&quiet)),
            (Some(*code), String::new()),
            "{arguments} --quiet"
        );
    }
    let second = home.run("serve");
    assert_eq!(second.status.code(), Some(3));
    assert!(err(&second).contains("in use by another muster"), "{}", err(&second));
    the_lines_to_try_are_true(&home, &serving);
}

/// Rules and lists, in this order: some of them change what the next one says.
const LISTS: &[(&str, i32, &str)] = &[
    (
        "group preview --filter (physicalDeliveryOfficeName=Berlin)",
        0,
        "reads as (ldap): everyone whose Office is Berlin",
    ),
    ("group preview --filter (office=", 2, "line 1, column"),
    (
        "group preview berlin@contoso.example --filter (title=*)",
        0,
        "would join",
    ),
    (
        "group filter berlin@contoso.example --as english",
        0,
        "Office is Berlin",
    ),
    (
        "group filter berlin@contoso.example --as ldap",
        0,
        "(physicalDeliveryOfficeName=Berlin)",
    ),
    ("group filter all-staff@contoso.example --as ldap", 2, "has no rule"),
    ("group plan berlin@contoso.example", 0, "candidates"),
    (
        "group lint first-aid@contoso.example",
        0,
        "nothing odd: 1 rule looked at",
    ),
    (
        "group propose board@contoso.example",
        1,
        "no rule is shorter than the list",
    ),
    ("group history berlin@contoso.example", 0, "v1  "),
    (
        "group members berlin@contoso.example --at 2020-01-01",
        1,
        "had no list at",
    ),
    (
        "group diff berlin@contoso.example --from 2020-01-01",
        0,
        "the group had no list at the earlier time",
    ),
    ("group refresh --all", 0, "add --yes to do it"),
    (
        "group refresh berlin@contoso.example",
        0,
        "computed again: 1 list, 0 changed",
    ),
    (
        "group refresh --recipient bjoern.boernsen@contoso.example --yes",
        0,
        "0 changed",
    ),
    ("group refresh --container contoso.example/Nowhere --yes", 0, "0 lists"),
    ("group verify", 0, "no difference"),
    (
        "group pin vienna@contoso.example --include bjoern.boernsen@contoso.example --until yesterday",
        2,
        "has passed",
    ),
    (
        "group pin vienna@contoso.example --include bjoern.boernsen@contoso.example --until 2h --reason cover --by eva",
        0,
        "is pinned in vienna@contoso.example until",
    ),
    ("group pins vienna@contoso.example", 0, "cover"),
    (
        "group why vienna@contoso.example bjoern.boernsen@contoso.example",
        0,
        "pinned in by eva",
    ),
    ("group show vienna@contoso.example", 0, "1 pinned"),
    ("group history vienna@contoso.example", 0, "by eva"),
    (
        "group pin vienna@contoso.example --exclude bjoern.boernsen@contoso.example --as nobody@contoso.example",
        1,
        "nobody has the address",
    ),
    (
        "group pin vienna@contoso.example --exclude bjoern.boernsen@contoso.example --as bjoern.boernsen@contoso.example",
        4,
        "does not own",
    ),
    (
        "group convert vienna@contoso.example --to dynamic --filter (physicalDeliveryOfficeName=Nowhere)",
        4,
        "was not changed",
    ),
    (
        "group convert vienna@contoso.example --undo",
        1,
        "nothing was decided here",
    ),
    ("group stale", 0, "member"),
    ("guard list", 0, "the guard holds nothing"),
    ("guard show berlin@contoso.example", 1, "holds nothing of"),
    ("guard accept berlin@contoso.example --reason x", 1, "holds nothing"),
    ("suspects list", 0, "no suspects"),
    ("alerts", 0, "no alerts"),
    (
        "trace --message 0192f5c4-7a31-7c2e-9f10-2f6f0c1b8a44 --was lena@contoso.example",
        1,
        "nothing is known of message",
    ),
];

#[test]
fn rules_and_lists_are_answered_by_the_real_service() {
    let home = Home::new();
    let _serving = Serving::start(&home);
    for (arguments, code, words) in LISTS {
        let (found, said) = home.said(arguments);
        assert_eq!(found, Some(*code), "{arguments}: {said}");
        assert!(said.contains(words), "{arguments}: {said}");
    }
    // Orders once, then as documents: an answer of each kind has keys that scripts rely on.
    for (arguments, keys) in [
        (
            "group preview --filter (title=*) --json",
            &["language", "filter", "english", "count", "joining", "findings", "saved"][..],
        ),
        (
            "group filter berlin@contoso.example --as opath --json",
            &["language", "text", "inexpressible"],
        ),
        (
            "group plan berlin@contoso.example --json",
            &["steps", "candidates", "count"],
        ),
        (
            "group history vienna@contoso.example --json",
            &["group", "versions", "more"],
        ),
        (
            "group diff vienna@contoso.example --from today --json",
            &["from_version", "to_version", "changes", "passing", "notes"],
        ),
        ("group verify vienna@contoso.example --json", &["lists", "differences"]),
        (
            "group unpin vienna@contoso.example bjoern.boernsen@contoso.example --json",
            &["pin", "pinned", "effective", "entries"],
        ),
        (
            "group freeze vienna@contoso.example --reason audit --json",
            &["into", "done", "before", "after", "joins", "leaves"],
        ),
    ] {
        let output = home.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments}: {}", out(&output));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        for key in keys {
            assert!(document.get(key).is_some(), "{arguments}: {key} in {document}");
        }
    }
    let (_, said) = home.said("group show vienna@contoso.example");
    assert!(said.contains("set here by") && said.contains("audit"), "{said}");
}

/// Each `swaks` line of the greeting, sent and asked about.
fn the_lines_to_try_are_true(home: &Home, serving: &Serving) {
    let ends = ["250", "550 5.7.133", "250", "250"];
    let lines: Vec<&str> = serving
        .greeting
        .lines()
        .filter(|line| line.contains("swaks --"))
        .collect();
    assert_eq!(lines.len(), ends.len(), "{}", serving.greeting);
    for (line, end) in lines.into_iter().zip(ends) {
        let after = |name: &str| {
            let rest = line.split_once(name).expect("said").1;
            rest.split_whitespace().next().expect("said")
        };
        let reply = submit(after("--server "), after("--from "), after("--to "));
        assert!(reply.starts_with(end), "{line}: {reply}");
    }
    let (code, held) = home.said("moderate list");
    assert!(
        code == Some(0) && held.contains("announce@contoso.example"),
        "the last line is held: {held}"
    );
    let (code, said) = home.said("moderate approve m-1 --as nobody@contoso.example");
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("petra.ueckermann@contoso.example"), "{said}");
    let (code, said) = home.said("moderate reject m-1 --as petra.ueckermann@contoso.example --comment no");
    assert_eq!((code, said.as_str()), (Some(0), "m-1 rejected\n"));
    let (_, said) = home.said("moderate show m-1");
    assert!(
        said.contains("rejected by petra") && !said.contains("external"),
        "{said}"
    );
}

/// One message over SMTP; the reply that decided, to RCPT if it was refused there.
fn submit(server: &str, from: &str, to: &str) -> String {
    use std::io::Write as _;
    let stream = std::net::TcpStream::connect(server).expect("the listener answers");
    let mut replies = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut reply = move |line: &str| {
        (&stream).write_all(line.as_bytes()).expect("sent");
        let mut text = String::new();
        loop {
            text.clear();
            assert_ne!(replies.read_line(&mut text).expect("a reply"), 0, "closed");
            if text.as_bytes().get(3) != Some(&b'-') {
                return text.clone();
            }
        }
    };
    reply("");
    reply("HELO client.example\r\n");
    reply(&format!("MAIL FROM:<{from}>\r\n"));
    let answered = reply(&format!("RCPT TO:<{to}>\r\n"));
    if !answered.starts_with('2') {
        return answered;
    }
    reply("DATA\r\n");
    reply(&format!(
        "From: {from}\r\nTo: {to}\r\nSubject: first\r\n\r\nHello\r\n.\r\n"
    ))
}
