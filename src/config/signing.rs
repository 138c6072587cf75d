//! Checks of `[[signing_keys]]` and of the next hops that name them; the keys themselves.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_spanned::Spanned;

use super::cross::{Checks, numbered, value};
use super::file::{SettingsFile, SigningKey as Stated};
use super::finding::{Findings, Severity};
use super::hop::NextHop;
use super::settings::{Name, Settings, SigningKeySettings};
use super::word::{Names, Selector};
use crate::connectors::document::Fault;
use crate::connectors::document::read::{Faults, Read};
use crate::mail::signature::SigningKey;

/// Largest key file, in octets: RSA of 8192 bits has some 6,400.
const FILE_OCTETS_MAX: u64 = 64 * 1024;

/// Most DKIM signatures on one copy: RSA, Ed25519, and the same again while keys change.
const SIGNATURES_MAX: usize = 4;

impl Checks<'_> {
    pub(super) fn signing(&mut self) {
        let file = self.file;
        let known: Vec<&str> = numbered(&file.signing_keys)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        for (index, hop) in numbered(&file.next_hops) {
            let key = format!("next_hops[{index}].dkim_sign");
            for (place, name) in named(hop).iter().enumerate() {
                self.known_name(name, &known, key.clone(), "signing key");
                if named(hop)[..place]
                    .iter()
                    .any(|other| other.get_ref() == name.get_ref())
                {
                    self.error(
                        name.span(),
                        key.clone(),
                        format!("\"{}\" is named twice", name.get_ref()),
                    );
                }
            }
            if let Some(stated) = hop.dkim_sign.as_ref().filter(|_| named(hop).len() > SIGNATURES_MAX) {
                let message = format!("at most {SIGNATURES_MAX} signatures; receivers look at few");
                self.error(stated.span(), key, message);
            }
            if let Some(name) = &hop.arc_seal {
                self.known_name(name, &known, format!("next_hops[{index}].arc_seal"), "signing key");
            }
        }
        let mut places: Vec<(&str, &str, usize)> = Vec::new();
        for (index, each) in numbered(&file.signing_keys) {
            let (Some(domain), Some(Selector(selector))) = (value(&each.domain), value(&each.selector)) else {
                continue;
            };
            let same = |(known, other, _): &&(&str, &str, usize)| *known == domain.as_str() && *other == &**selector;
            if let Some((_, _, other)) = places.iter().find(same) {
                let span = each.selector.as_ref().map_or(0..0, Spanned::span);
                let message = format!("signing_keys[{other}] has this selector in {domain} already");
                self.error(span, format!("signing_keys[{index}].selector"), message);
            }
            places.push((domain.as_str(), selector, index));
        }
    }

    /// A key that signs nothing is probably one that was meant to.
    pub(super) fn idle_keys(&mut self) {
        let file = self.file;
        let used: Vec<&Name> = numbered(&file.next_hops)
            .flat_map(|(_, hop)| named(hop).iter().chain(&hop.arc_seal))
            .chain(value(&file.tls_reports).map_or(&[][..], |table| named_in(&table.dkim_sign)))
            .map(Spanned::get_ref)
            .collect();
        for (index, each) in numbered(&file.signing_keys) {
            if let Some(name) = each.name.as_ref().filter(|name| !used.contains(&name.get_ref())) {
                let message = format!(
                    "no next hop signs with \"{}\": name it in `dkim_sign` or `arc_seal`",
                    name.get_ref()
                );
                self.warn(name.span(), format!("signing_keys[{index}].name"), message);
            }
        }
    }
}

fn named(hop: &NextHop) -> &[Spanned<Name>] {
    named_in(&hop.dkim_sign)
}

/// Names of keys, with their places.
pub(super) fn named_in(stated: &Option<Spanned<Names>>) -> &[Spanned<Name>] {
    value(stated).map_or(&[], |Names(names)| names)
}

/// A key of checked settings; its file has not been read yet.
pub(super) fn signing_key(stated: &Stated, folder: &Path) -> Option<SigningKeySettings> {
    Some(SigningKeySettings {
        name: value(&stated.name)?.clone(),
        domain: value(&stated.domain)?.clone(),
        selector: value(&stated.selector)?.clone(),
        file: folder.join(value(&stated.key_file)?),
        key: None,
    })
}

/// Names of `dkim_sign`.
pub(super) fn names(stated: &Option<Spanned<Names>>) -> Vec<Name> {
    let names = value(stated).map_or(&[][..], |Names(names)| names);
    names.iter().map(|name| name.get_ref().clone()).collect()
}

/// Reads the key files.
pub(super) fn load_keys(settings: &mut Settings, source: &str, findings: &mut Findings) {
    for (index, stated) in settings.signing_keys.iter_mut().enumerate() {
        match read(stated) {
            Ok(key) => stated.key = Some(Arc::new(key)),
            Err(message) => findings.push(
                Severity::Error,
                Fault {
                    span: place(source, index),
                    path: format!("signing_keys[{index}].key_file"),
                    message,
                    suggestion: None,
                },
            ),
        }
    }
    findings.sort();
}

fn read(stated: &SigningKeySettings) -> Result<SigningKey, String> {
    let shown = stated.file.display();
    let mut file = File::open(&stated.file).map_err(|fault| match fault.kind() {
        std::io::ErrorKind::NotFound => format!(
            "{shown} does not exist: `openssl genpkey -algorithm ed25519` makes a key, as does `-algorithm RSA` \
             for receivers that know no Ed25519"
        ),
        _ => format!("{shown} cannot be read: {fault}"),
    })?;
    let metadata = file
        .metadata()
        .map_err(|fault| format!("{shown} cannot be read: {fault}"))?;
    if !metadata.is_file() || metadata.len() > FILE_OCTETS_MAX {
        return Err(format!("{shown} is no file with a key"));
    }
    // Our group may read it, as where root owns the file; it may not write it, and others may do nothing.
    if metadata.mode() & 0o027 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(format!(
            "{shown} has mode {mode:04o}: whoever has this key signs in the name of {}; set 0600, or 0640 with a \
             group of its own",
            stated.domain
        ));
    }
    let mut pem = Vec::new();
    file.read_to_end(&mut pem)
        .map_err(|fault| format!("{shown} cannot be read: {fault}"))?;
    let key = SigningKey::from_pem(stated.name.as_str(), stated.domain.clone(), &stated.selector.0, &pem);
    key.map_err(|fault| format!("{shown}: {fault}"))
}

/// Where the settings name a key's file.
fn place(source: &str, index: usize) -> Range<usize> {
    of_key(source, index, |key| key.key_file.as_ref().map(Spanned::span))
}

/// Where the settings state the selector of a key: what DNS has to do with stands there.
#[must_use]
pub fn place_of_selector(source: &str, index: usize) -> Range<usize> {
    of_key(source, index, |key| key.selector.as_ref().map(Spanned::span))
}

fn of_key(source: &str, index: usize, place: impl FnOnce(&Stated) -> Option<Range<usize>>) -> Range<usize> {
    let (root, syntax) = crate::connectors::document::parse_toml(source);
    let file = SettingsFile::read(&root, "", &mut Faults::of_syntax(syntax));
    let keys = file.and_then(|file| file.signing_keys);
    let key = keys.as_ref().and_then(|keys| keys.get_ref().get(index));
    key.and_then(|key| place(key.get_ref())).unwrap_or(0..0)
}
