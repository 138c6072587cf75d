//! Whether the public halves of our signing keys stand in DNS.

use std::path::Path;

use crate::admin::answer::Severity;
use crate::authenticity::published::{Published, look_up};
use crate::config::settings::Settings;
use crate::config::signing::place_of_selector;
use crate::config::{Findings, finding};
use crate::delivery::dns;

/// One finding for each key that others cannot verify with.
pub fn findings(path: &Path, settings: &Settings) -> Vec<crate::admin::answer::Finding> {
    let source = std::fs::read_to_string(path).unwrap_or_default();
    let mut findings = Findings::new(path, &source);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            let text = format!("name servers cannot be asked: {fault}");
            return vec![super::directory::plain(Severity::Warning, text)];
        }
    };
    let resolver = dns::resolver(&settings.dns.servers, settings.dns.timeout);
    for (index, stated) in settings.signing_keys.iter().enumerate() {
        let Some(key) = &stated.key else { continue };
        let name = key.record_name();
        let publish = format!("publish this TXT record at {name}: {}", key.record());
        let (severity, message) = match runtime.block_on(look_up(resolver.clone(), key)) {
            Published::Fits => continue,
            Published::Missing => (
                finding::Severity::Error,
                format!("nobody can verify with this key; {publish}"),
            ),
            Published::Differs => (
                finding::Severity::Error,
                format!("{name} holds another key, so every signature fails; {publish}"),
            ),
            Published::Unreadable(why) => (
                finding::Severity::Error,
                format!("the record at {name} is no usable key ({why}); {publish}"),
            ),
            Published::Unknown(why) => (
                finding::Severity::Warning,
                format!("{name} could not be looked up: {why}"),
            ),
        };
        let key = format!("signing_keys[{index}].selector");
        findings.add(severity, place_of_selector(&source, index), key, message);
    }
    super::directory::findings_of(&findings)
}
