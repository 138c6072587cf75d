//! The example organisation, carried inside the program.

use std::io;
use std::path::Path;

use super::sink::Sink;

/// The files of `config/example/`.
const FILES: &[(&str, &str)] = &[
    (
        "people-berlin.toml",
        include_str!("../../../config/example/people-berlin.toml"),
    ),
    (
        "people-vienna.toml",
        include_str!("../../../config/example/people-vienna.toml"),
    ),
    (
        "people-zurich.csv",
        include_str!("../../../config/example/people-zurich.csv"),
    ),
    ("resources.toml", include_str!("../../../config/example/resources.toml")),
    ("outside.json", include_str!("../../../config/example/outside.json")),
    ("groups.toml", include_str!("../../../config/example/groups.toml")),
    (
        "dynamic-groups.toml",
        include_str!("../../../config/example/dynamic-groups.toml"),
    ),
    ("members.csv", include_str!("../../../config/example/members.csv")),
];

/// Writes the directory files into a folder.
pub fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    FILES
        .iter()
        .try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
}

/// Settings as in `config/quickstart.toml`, with the demo's own next hops and free ports.
pub fn settings(sinks: &[Sink; 2]) -> String {
    let [cloud, onprem] = sinks;
    format!(
        r#"postmaster = "isolde.innerhuber@contoso.example"
hostname = "muster.contoso.example"
data_dir = "data"
accepted_domains = ["contoso.example"]

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
name = "example"
kind = "files"
path = "organisation"
watch = false

[[next_hops]]
name = "cloud"
hosts = ["{}"]

[[next_hops]]
name = "onprem"
hosts = ["{}"]

[routing]
cloud = "cloud"
default = "onprem"
"#,
        cloud.address(),
        onprem.address()
    )
}
