//! Checks of `[moderation]` and `[web]`, and the templates they name.

use std::path::Path;

use super::cross::{Checks, numbered, value};
use super::finding::{Findings, Severity};
use super::settings::Settings;
use super::word::DomainPattern;
use crate::connectors::document::Fault;
use crate::moderation::letter::Letters;
use crate::moderation::token::{AnswerAddresses, BASE_LOCAL_PART_OCTETS_MAX};

/// Largest template, in octets.
const TEMPLATE_OCTETS_MAX: u64 = 256 * 1024;

impl Checks<'_> {
    pub(super) fn moderation(&mut self) {
        let file = self.file;
        let Some(moderation) = value(&file.moderation) else {
            return;
        };
        if let Some(address) = &moderation.address {
            let domain = address.get_ref().domain_key();
            let matches = |pattern: &DomainPattern| pattern.matches(&domain);
            if !numbered(&file.accepted_domains).any(|(_, each)| value(&each.name).is_some_and(matches)) {
                let message = format!("{domain} is not an accepted domain; answers would never arrive");
                self.error(address.span(), "moderation.address", message);
            } else if AnswerAddresses::below(address.get_ref().clone()).is_none() {
                let message =
                    format!("expected a local-part of at most {BASE_LOCAL_PART_OCTETS_MAX} octets without quotes");
                self.error(address.span(), "moderation.address", message);
            }
        }
        if let Some(substitutes) = moderation.substitutes.as_ref().filter(|list| list.get_ref().is_empty()) {
            let message = "at least one is needed; without this key the owners are asked";
            self.error(substitutes.span(), "moderation.substitutes", message);
        }
        if let (Some(language), None) = (&moderation.language, &moderation.templates)
            && !Letters::built_in().speaks(language.get_ref().as_str())
        {
            let message = "there are letters in `en` and `de`; other languages stand in `templates`";
            self.error(language.span(), "moderation.language", message);
        }
    }

    pub(super) fn web(&mut self) {
        let file = self.file;
        let Some(web) = value(&file.web) else { return };
        match (&web.address, &web.public_url) {
            (Some(address), None) => {
                let message = "requests need `public_url`, the way browsers reach this page";
                self.error(address.span(), "web.address", message);
            }
            (None, Some(url)) => {
                self.warn(url.span(), "web.public_url", "without `address` there is no page");
            }
            (None | Some(_), None | Some(_)) => {}
        }
        let Some(url) = &web.public_url else { return };
        let text = url.get_ref();
        let plain = text.strip_prefix("http://");
        let host = plain.or_else(|| text.strip_prefix("https://")).unwrap_or_default();
        if host.is_empty()
            || text
                .bytes()
                .any(|octet| !octet.is_ascii_graphic() || b"<>\"?#".contains(&octet))
        {
            let message = "expected an address such as \"https://mail.contoso.example\"";
            self.error(url.span(), "web.public_url", message);
        } else if plain.is_some_and(|host| !host.starts_with("127.") && !host.starts_with("localhost")) {
            let message = "whoever can read a link on its way can decide; use https";
            self.warn(url.span(), "web.public_url", message);
        }
    }
}

/// Reads the operator's templates and tries them out.
pub(super) fn load_templates(settings: &mut Settings, findings: &mut Findings) {
    let Some(folder) = settings.moderation.templates.clone() else {
        return;
    };
    let mut say = |message: String| {
        let fault = Fault {
            span: 0..0,
            path: "moderation.templates".to_owned(),
            message,
            suggestion: None,
        };
        findings.push(Severity::Error, fault);
    };
    match read_templates(&folder) {
        Ok(texts) => match Letters::with(texts.clone()) {
            Ok(letters) if letters.speaks(&settings.moderation.language) => settings.moderation.template_texts = texts,
            Ok(_) => say(format!(
                "moderation.language is {}, and {} has no folder of that name",
                settings.moderation.language,
                folder.display()
            )),
            Err(faults) => faults.into_iter().for_each(|fault| say(fault.to_string())),
        },
        Err(fault) => say(format!("{}: {fault}", folder.display())),
    }
    findings.sort();
}

/// Every file of every folder in it, by name.
fn read_templates(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for language in std::fs::read_dir(folder)? {
        let language = language?;
        if !language.file_type()?.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(language.path())? {
            let file = file?;
            let (language, name) = (language.file_name(), file.file_name());
            let name = format!("{}/{}", language.to_string_lossy(), name.to_string_lossy());
            // Editors leave files behind.
            if name.ends_with('~') || name.contains("/.") {
                continue;
            }
            if file.metadata()?.len() > TEMPLATE_OCTETS_MAX {
                return Err(std::io::Error::other(format!("{name} is too large for a template")));
            }
            texts.push((name, std::fs::read_to_string(file.path())?));
        }
    }
    texts.sort();
    Ok(texts)
}
