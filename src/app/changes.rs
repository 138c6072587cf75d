//! What a reload changes, in words.

use std::collections::HashMap;

use crate::config::settings::Settings;

/// Differences between two settings that an operator should hear of, one line each.
#[must_use]
pub fn changes(before: &Settings, after: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let mut note = |what: &str, differs: bool| {
        if differs {
            lines.push(format!("{what} changed"));
        }
    };
    note("[policy]", before.policy != after.policy);
    note("[routing]", before.routing != after.routing);
    note("[[next_hops]]", before.next_hops != after.next_hops);
    note("[[signing_keys]]", before.signing_keys != after.signing_keys);
    note(
        "[[trusted_networks]]",
        before.trusted_networks != after.trusted_networks,
    );
    note("[authenticity]", before.authenticity != after.authenticity);
    note("accepted_domains", before.accepted_domains != after.accepted_domains);
    note("[moderation]", before.moderation != after.moderation);
    note("[storm]", before.storm != after.storm);
    note("[rolls]", before.rolls != after.rolls);
    note("[queue]", before.queue != after.queue);
    note("[[filters]]", before.filters != after.filters);
    note("[return_paths]", before.return_paths != after.return_paths);
    let fixed: HashMap<&str, bool> = HashMap::from([
        ("[[listeners]]", before.listeners != after.listeners),
        ("[[certificates]]", before.certificates != after.certificates),
        ("[tls]", before.client_authorities_file != after.client_authorities_file),
        ("[accounts]", before.accounts != after.accounts),
        ("data_dir", before.data_dir != after.data_dir),
        ("[dns]", before.dns != after.dns),
        ("control_socket", before.control_socket != after.control_socket),
        ("[[sources]]", before.sources != after.sources),
        ("[web]", before.web != after.web),
        ("[tls_reports]", before.tls_reports != after.tls_reports),
        (
            "[limits] disk_free_min",
            before.limits.disk_free_min != after.limits.disk_free_min,
        ),
    ]);
    let mut restart: Vec<&str> = fixed
        .into_iter()
        .filter_map(|(what, differs)| differs.then_some(what))
        .collect();
    restart.sort_unstable();
    lines.extend(
        restart
            .into_iter()
            .map(|what| format!("{what} changed: takes effect at the next start")),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::tls::CertificateFiles;

    #[test]
    fn what_waits_for_the_next_start_is_told() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quickstart.toml");
        let (before, _) = crate::config::load(&path).expect("an example that loads");
        assert_eq!(changes(&before, &before), [""; 0]);
        let mut after = before.clone();
        after.certificates.push(CertificateFiles {
            chain: "mail.pem".into(),
            key: "mail.key".into(),
        });
        after.client_authorities_file = Some("authorities.pem".into());
        after.listeners.clear();
        let waits = |what: &str| format!("{what} changed: takes effect at the next start");
        assert_eq!(
            changes(&before, &after),
            [waits("[[certificates]]"), waits("[[listeners]]"), waits("[tls]")]
        );
    }
}
