//! A file of `config/recipes`, run on loopback: only addresses and paths are others.

use std::net::IpAddr;
use std::path::Path;

use super::world::Process;
use super::{Client, Hop, Organisation};

/// A recipe that runs.
pub struct Recipe {
    directory: tempfile::TempDir,
    process: Process,
}

impl Recipe {
    /// Starts `config/recipes/NAME.toml` with `hosts` in place of its next hops' hosts, and each network of
    /// `networks` in place of one of its own.
    pub fn start(name: &str, organisation: &Organisation, hosts: &[(&str, &Hop)], networks: &[(&str, &str)]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/recipes/{name}.toml"));
        let mut text = std::fs::read_to_string(path).expect("a recipe");
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "{name}: {from}");
            text = text.replace(from, to);
        };
        for (host, hop) in hosts {
            replace(&format!("\"{host}\""), &format!("\"{}\"", hop.address()));
        }
        for (from, to) in networks {
            replace(from, to);
        }
        replace("\"0.0.0.0:25\"", "\"127.0.0.1:0\"");
        text = text.replace("\"10.1.0.25:2525\"", "\"127.0.0.1:0\"");
        text = text.replacen("postmaster =", "data_dir = \"data\"\npostmaster =", 1);
        text += "\n[queue]\nretry_first = \"1s\"\nreport_gather = \"1s\"\n";
        let directory = tempfile::tempdir().expect("a temporary directory");
        organisation.write(&directory.path().join("organisation"));
        let settings = directory.path().join("muster.toml");
        std::fs::write(&settings, text).expect("settings");
        let process = Process::start(&settings);
        Self { directory, process }
    }

    /// Where `explain` says that mail would go: recipients by next hop.
    pub fn explained(&self, from: &str, to: &str, listener: &str, client: &str) -> String {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_muster"))
            .arg("--config")
            .arg(self.directory.path().join("muster.toml"))
            .args([
                "explain", "--json", "--from", from, "--to", to, "--via", listener, "--client", client,
            ])
            .output()
            .expect("the command runs");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        answer["verdicts"][0]["next_hops"].to_string()
    }

    /// A session with a listener from an address of loopback.
    pub fn client(&self, listener: &str, from: &str) -> Client {
        let from: IpAddr = from.parse().expect("an address");
        Client::connect_from(from, self.process.listener(listener))
    }
}
