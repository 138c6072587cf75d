//! A running `muster` with two next hops, `cloud` and `onprem`, and a default, `internet`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{Client, Hop, Organisation};

/// Everything one story needs. Dropping it ends the process and removes its files.
pub struct World {
    directory: tempfile::TempDir,
    settings: Settings,
    process: Option<Process>,
    /// Next hop of cloud mailboxes.
    pub cloud: Hop,
    /// Next hop of on-premises mailboxes.
    pub onprem: Hop,
    /// Next hop of everything else.
    pub internet: Hop,
}

#[derive(Default)]
struct Settings {
    policy: String,
    queue: String,
    more: String,
    routing: String,
    domains: Option<String>,
    hops: Vec<(String, SocketAddr)>,
    hop_lines: HashMap<String, String>,
}

/// A running service.
pub(super) struct Process {
    child: Child,
    inbound: Option<SocketAddr>,
    relay: Option<SocketAddr>,
    listeners: HashMap<String, SocketAddr>,
    page: Option<SocketAddr>,
}

impl World {
    /// Writes the organisation and settings; [`World::start`] starts.
    pub fn of(organisation: &Organisation) -> Self {
        let world = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            settings: Settings::default(),
            process: None,
            cloud: Hop::start(),
            onprem: Hop::start(),
            internet: Hop::start(),
        };
        organisation.write(&world.organisation_path());
        world
    }

    /// Writes the organisation and starts.
    pub fn start_with(organisation: &Organisation) -> Self {
        let mut world = Self::of(organisation);
        world.start();
        world
    }

    /// A line in `[policy]`.
    pub fn policy(mut self, line: &str) -> Self {
        self.settings.policy += &format!("{line}\n");
        self
    }

    /// Another list of accepted domains, as TOML.
    pub fn domains(mut self, list: &str) -> Self {
        self.settings.domains = Some(list.to_owned());
        self
    }

    /// A line in `[queue]`.
    pub fn queue(mut self, line: &str) -> Self {
        self.settings.queue += &format!("{line}\n");
        self
    }

    /// A line in `[routing]`.
    pub fn routing(mut self, line: &str) -> Self {
        self.settings.routing += &format!("{line}\n");
        self
    }

    /// More tables at the end of the settings.
    pub fn more(mut self, toml: &str) -> Self {
        self.settings.more += toml;
        self
    }

    /// A line in the table of one of the next hops.
    pub fn hop_line(mut self, name: &str, line: &str) -> Self {
        let lines = self.settings.hop_lines.entry(name.to_owned()).or_default();
        *lines += &format!("{line}\n");
        self
    }

    /// The folder of the settings file.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Another address for one of the next hops.
    pub fn hop(mut self, name: &str, address: SocketAddr) -> Self {
        self.settings.hops.push((name.to_owned(), address));
        self
    }

    /// Where the directory files are.
    pub fn organisation_path(&self) -> PathBuf {
        self.directory.path().join("organisation")
    }

    /// No lines of ours in the table of this next hop.
    pub fn without_hop_lines(mut self, name: &str) -> Self {
        self.settings.hop_lines.remove(name);
        self
    }

    /// Writes the settings without starting.
    pub fn write_settings(&mut self) -> PathBuf {
        let settings = self.directory.path().join("muster.toml");
        std::fs::write(&settings, self.settings_text()).expect("settings");
        settings
    }

    /// Starts the service and waits until it is ready.
    pub fn start(&mut self) -> &mut Self {
        let settings = self.write_settings();
        self.process = Some(Process::start(&settings));
        self
    }

    /// Stops as an operator would (SIGTERM) and waits for the end.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.terminate();
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().expect("the process exists");
            process.child.wait().expect("the process ends");
        }
    }

    /// A session with the `inbound` listener: a stranger.
    pub fn stranger(&self) -> Client {
        Client::connect(self.inbound())
    }

    /// A session with the `relay` listener: proven internal for `contoso.example`.
    pub fn colleague(&self) -> Client {
        Client::connect(self.process().relay.expect("a relay listener"))
    }

    /// Address of the `inbound` listener.
    pub fn inbound(&self) -> SocketAddr {
        self.process().inbound.expect("an inbound listener")
    }

    /// A session with another listener, one of [`World::more`].
    pub fn client_of(&self, listener: &str) -> Client {
        Client::connect(self.process().listeners[listener])
    }

    /// The same, before anything was said.
    pub fn silent_client_of(&self, listener: &str) -> Client {
        Client::connect_silently(self.process().listeners[listener])
    }

    /// Address of a listener.
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.process().listeners[listener]
    }

    /// Runs a command that needs no service, with text on its standard input; gives what it prints.
    pub fn typed(&self, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let mut pipe = child.stdin.take().expect("a pipe was asked for");
        pipe.write_all(input.as_bytes()).expect("it reads");
        drop(pipe);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Address of the moderators' page.
    pub fn page(&self) -> SocketAddr {
        self.process().page.expect("the story asked for a page")
    }

    /// Process id of the service.
    pub fn process_id(&self) -> u32 {
        self.process().child.id()
    }

    /// Runs a command of `muster` against the service.
    pub fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_muster"))
            .arg("--config")
            .arg(self.directory.path().join("muster.toml"))
            .args(arguments)
            .output()
            .expect("the command runs")
    }

    /// Runs a command and reads its `--json` output.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.command(&all);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| {
            panic!(
                "{arguments:?}: {fault}\n{}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// Repeats a check until it holds; panics with `what` if it does not within 20 s.
    pub fn until(&self, what: &str, check: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !check() {
            assert!(Instant::now() < deadline, "waited for {what}");
            std::thread::yield_now();
        }
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("the story started the service")
    }

    fn settings_text(&self) -> String {
        let address = |name: &str, hop: &Hop| {
            let other = self.settings.hops.iter().rev().find(|(known, _)| known == name);
            other.map_or(hop.address(), |(_, address)| *address)
        };
        let lines = |name: &str| self.settings.hop_lines.get(name).map_or("", String::as_str);
        let Settings {
            policy,
            queue,
            more,
            routing,
            ..
        } = &self.settings;
        format!(
            r#"hostname = "muster.contoso.example"
data_dir = "data"
postmaster = "postmaster-desk@contoso.example"
accepted_domains = {}
[[listeners]]
name = "inbound"
address = "127.0.0.1:0"
role = "inbound"

[[listeners]]
name = "relay"
address = "127.0.0.1:0"
role = "relay"

[[trusted_networks]]
name = "loopback"
networks = ["127.0.0.0/8"]
listeners = ["relay"]

[[sources]]
name = "files"
kind = "files"
path = "organisation"

[[next_hops]]
name = "cloud"
hosts = ["{}"]
{}
[[next_hops]]
name = "onprem"
hosts = ["{}"]
{}
[[next_hops]]
name = "internet"
hosts = ["{}"]
{}
[routing]
cloud = "cloud"
on_premises = "onprem"
default = "internet"
{routing}
[policy]
{policy}
[queue]
retry_first = "1s"
report_gather = "1s"
{queue}
{more}
"#,
            self.settings.domains.as_deref().unwrap_or("[\"contoso.example\"]"),
            address("cloud", &self.cloud),
            lines("cloud"),
            address("onprem", &self.onprem),
            lines("onprem"),
            address("internet", &self.internet),
            lines("internet"),
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that was waited for has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub(super) fn start(settings: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
            .arg("serve")
            .arg("--config")
            .arg(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("muster starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe was asked for")).lines();
        let mut listeners = HashMap::new();
        let mut page = None;
        // `serve` prints one line `listening NAME ROLE ADDRESS` per listener, then `ready`.
        for line in lines.by_ref() {
            let line = line.expect("readable output");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["listening", name, _, address] => {
                    let address = address.parse().expect("an address");
                    listeners.insert((*name).to_owned(), address);
                }
                ["page", address] => page = address.parse().ok(),
                ["ready", ..] => break,
                _ => {}
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            inbound: listeners.get("inbound").copied(),
            relay: listeners.get("relay").copied(),
            listeners,
            page,
        }
    }

    /// Address of a listener.
    pub(super) fn listener(&self, name: &str) -> SocketAddr {
        self.listeners[name]
    }

    fn terminate(mut self) {
        let id = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a process id is not zero");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("the process exists");
        let status = self.child.wait().expect("the process ends");
        assert!(status.success(), "an orderly end: {status}");
    }
}
