//! Checks of what next hops say about TLS and AUTH, and the files they name.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use hickory_resolver::proto::dnssec::TrustAnchors;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_spanned::Spanned;

use super::check::{list, or, stated};
use super::cross::{Checks, numbered, value};
use super::file::SettingsFile;
use super::finding::{Findings, Severity};
use super::hop::{NextHop, SignIn};
use super::settings::{HopFiles, NextHopSettings, Settings};
use super::word::{SignInMechanism, TlsMode as Word};
use crate::connectors::document::Fault;
use crate::connectors::document::read::{Faults, Read};
use crate::routing::{ClientCertificate, HopSignIn, HopTls, SignInProof, TlsMode, TokenSource, Trust};
use crate::smtp::extension::{Mechanism, Mechanisms};
use crate::smtp::sign_in::Secret;

/// Largest file of certificates, in octets: all authorities of a system have some 220,000.
const FILE_OCTETS_MAX: u64 = 4 * 1024 * 1024;

/// What Exchange Online wants a token to be for.
const SCOPE: &str = "https://outlook.office365.com/.default";

impl Checks<'_> {
    pub(super) fn protection(&mut self) {
        for (index, hop) in numbered(&self.file.next_hops) {
            let key = |name: &str| format!("next_hops[{index}].{name}");
            let mode = value(&hop.tls).copied().unwrap_or(Word::Opportunistic);
            for (name, span) in stated_for_verified(hop) {
                if mode != Word::Verified {
                    let message = format!("`{name}` counts with tls = \"verified\" only");
                    self.warn(span, key(name), message);
                }
            }
            if let (Some(keys), Some(other)) = (
                &hop.tls_keys,
                hop.tls_ca_file
                    .as_ref()
                    .map(|_| "tls_ca_file")
                    .or(hop.tls_names.as_ref().map(|_| "tls_names")),
            ) {
                let message =
                    format!("`tls_keys` and `{other}` exclude each other: a key needs no name and no authority");
                self.error(keys.span(), key("tls_keys"), message);
            }
            match (&hop.tls_certificate_file, &hop.tls_key_file) {
                (Some(file), None) => {
                    self.error(
                        file.span(),
                        key("tls_key_file"),
                        "the certificate needs its `tls_key_file`",
                    );
                }
                (None, Some(file)) => {
                    self.error(
                        file.span(),
                        key("tls_certificate_file"),
                        "the key needs its `tls_certificate_file`",
                    );
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
            if let Some(implicit) = hop.tls_implicit.as_ref().filter(|stated| *stated.get_ref())
                && mode == Word::None
            {
                self.error(implicit.span(), key("tls_implicit"), "tls = \"none\" excludes it");
            }
            if let Some(auth) = &hop.auth {
                self.auth(auth.get_ref(), mode, &format!("{}.", key("auth")));
            }
        }
    }

    fn auth(&mut self, auth: &SignIn, mode: Word, key: &str) {
        let in_clear = value(&auth.in_clear).copied().unwrap_or(false);
        if mode == Word::None && !in_clear {
            let message = "tls = \"none\", and without TLS no password is said: mail would wait for ever";
            self.error(auth.place.clone(), format!("{key}in_clear"), message);
        }
        if mode != Word::Verified && in_clear {
            let message = "without tls = \"verified\" whoever sits on the way can pretend to be the server and take it";
            self.warn(auth.place.clone(), key.trim_end_matches('.'), message);
        } else if mode != Word::Verified && mode != Word::None {
            let message = "say tls = \"verified\": where the certificate does not prove the server, a password is not said and \
                           mail waits, unless the server takes SCRAM-SHA-256";
            self.warn(auth.place.clone(), key.trim_end_matches('.'), message);
        }
        let token = [
            ("client_id", auth.client_id.is_some()),
            ("client_secret_file", auth.client_secret_file.is_some()),
        ];
        if let Some(url) = &auth.token_url {
            for (name, _) in token.iter().filter(|(_, is_there)| !is_there) {
                let message = format!("`token_url` needs `{name}`");
                self.error(url.span(), format!("{key}{name}"), message);
            }
            if !url.get_ref().starts_with("https://") {
                let message = "expected a URL that begins with https://: the secret is sent there";
                self.error(url.span(), format!("{key}token_url"), message);
            }
            if let Some(password) = &auth.password_file {
                let message = "`password_file` and `token_url` exclude each other";
                self.error(password.span(), format!("{key}password_file"), message);
            }
        } else if auth.password_file.is_none() {
            let message = "one of `password_file` and `token_url` is missing";
            self.error(auth.place.clone(), format!("{key}password_file"), message);
        }
        if let Some(mechanism) = &auth.mechanism {
            let is_token = matches!(
                mechanism.get_ref(),
                SignInMechanism::Xoauth2 | SignInMechanism::OauthBearer
            );
            if is_token != auth.token_url.is_some() {
                let message = "a token of `token_url` is said by `xoauth2` or `oauthbearer`, and they say nothing else";
                self.error(mechanism.span(), format!("{key}mechanism"), message);
            }
        }
    }
}

fn stated_for_verified(hop: &NextHop) -> Vec<(&'static str, Range<usize>)> {
    let mut found = Vec::new();
    found.extend(hop.tls_names.as_ref().map(|stated| ("tls_names", stated.span())));
    found.extend(hop.tls_ca_file.as_ref().map(|stated| ("tls_ca_file", stated.span())));
    found.extend(hop.tls_keys.as_ref().map(|stated| ("tls_keys", stated.span())));
    found
}

/// TLS of a next hop; its files have not been read yet.
pub(super) fn tls(hop: &NextHop) -> HopTls {
    HopTls {
        mode: match or(&hop.tls, Word::Opportunistic) {
            Word::None => TlsMode::None,
            Word::Opportunistic => TlsMode::Opportunistic,
            Word::Required => TlsMode::Required,
            Word::Verified => TlsMode::Verified,
        },
        implicit: or(&hop.tls_implicit, false),
        trust: match &hop.tls_keys {
            Some(_) => Trust::Keys(list(&hop.tls_keys).map(|hash| hash.0).collect()),
            None => Trust::System,
        },
        names: list(&hop.tls_names).map(|name| name.as_str().into()).collect(),
        certificate: None,
    }
}

/// Who we are to a next hop; its file has not been read yet.
pub(super) fn sign_in(hop: &NextHop) -> Option<HopSignIn> {
    let auth = value(&hop.auth)?;
    let proof = match &auth.token_url {
        Some(url) => SignInProof::Token(Arc::new(TokenSource {
            url: url.get_ref().clone(),
            client: stated(&auth.client_id)?,
            secret: Secret::default(),
            scope: or(&auth.scope, SCOPE.to_owned()),
        })),
        None => SignInProof::Password(Secret::default()),
    };
    let by_default = match proof {
        SignInProof::Password(_) => SignInMechanism::Any,
        SignInProof::Token(_) => SignInMechanism::Xoauth2,
    };
    let none = Mechanisms::default();
    Some(HopSignIn {
        user: stated(&auth.user)?,
        proof,
        mechanisms: match or(&auth.mechanism, by_default) {
            SignInMechanism::Any => none
                .with([Mechanism::ScramSha256])
                .with([Mechanism::Plain])
                .with([Mechanism::Login]),
            SignInMechanism::ScramSha256 => none.with([Mechanism::ScramSha256]),
            SignInMechanism::Plain => none.with([Mechanism::Plain]),
            SignInMechanism::Login => none.with([Mechanism::Login]),
            SignInMechanism::OauthBearer => none.with([Mechanism::OauthBearer]),
            SignInMechanism::Xoauth2 => none.with([Mechanism::Xoauth2]),
        },
        in_clear: or(&auth.in_clear, false),
    })
}

/// The files that a next hop names.
pub(super) fn files(hop: &NextHop, folder: &Path) -> HopFiles {
    let path = |stated: &Option<Spanned<std::path::PathBuf>>| value(stated).map(|path| folder.join(path));
    let auth = value(&hop.auth);
    HopFiles {
        authorities: path(&hop.tls_ca_file),
        certificate: path(&hop.tls_certificate_file).zip(path(&hop.tls_key_file)),
        secret: auth.and_then(|auth| path(&auth.client_secret_file).or(path(&auth.password_file))),
    }
}

/// Reads the files.
pub(super) fn load_files(settings: &mut Settings, source: &str, findings: &mut Findings) {
    if let Some(path) = &settings.dns.trust_anchors
        && let Err(fault) = TrustAnchors::from_file(path)
    {
        let fault = Fault {
            span: place_of_anchors(source),
            path: "dns.trust_anchor_file".to_owned(),
            message: format!("{} holds no DNSKEY records that can be read: {fault}", path.display()),
            suggestion: None,
        };
        findings.push(Severity::Error, fault);
    }
    for (index, hop) in settings.next_hops.iter_mut().enumerate() {
        for (name, message) in load(hop) {
            let fault = Fault {
                span: place(source, index),
                path: format!("next_hops[{index}].{name}"),
                message,
                suggestion: None,
            };
            findings.push(Severity::Error, fault);
        }
    }
    findings.sort();
}

fn load(hop: &mut NextHopSettings) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    let files = hop.files.clone();
    if let Some(file) = &files.authorities {
        match octets(file, Readers::Anybody).and_then(|pem| certificates(file, &pem)) {
            Ok(found) => Arc::make_mut(&mut hop.tls).trust = Trust::Authorities(found.into()),
            Err(message) => faults.push(("tls_ca_file", message)),
        }
    }
    if let Some((certificate, key)) = &files.certificate {
        let chain = octets(certificate, Readers::Anybody).and_then(|pem| certificates(certificate, &pem));
        let private = octets(key, Readers::Ourselves).and_then(|pem| {
            PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|fault| format!("{} holds no private key in PEM form: {fault}", key.display()))
        });
        match (chain, private) {
            (Ok(chain), Ok(key)) => {
                let shown = ClientCertificate { chain, key };
                Arc::make_mut(&mut hop.tls).certificate = Some(Arc::new(shown));
            }
            (chain, private) => {
                faults.extend(chain.err().map(|message| ("tls_certificate_file", message)));
                faults.extend(private.err().map(|message| ("tls_key_file", message)));
            }
        }
    }
    if let (Some(file), Some(sign_in)) = (&files.secret, &mut hop.sign_in) {
        match octets(file, Readers::Ourselves).and_then(|text| first_line(file, &text)) {
            Ok(secret) => match &mut Arc::make_mut(sign_in).proof {
                SignInProof::Password(password) => *password = secret,
                SignInProof::Token(token) => Arc::make_mut(token).secret = secret,
            },
            Err(message) => faults.push(("auth", message)),
        }
    }
    faults
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    Anybody,
    Ourselves,
}

fn octets(path: &Path, readers: Readers) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let unreadable = |fault: std::io::Error| format!("{shown} cannot be read: {fault}");
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > FILE_OCTETS_MAX {
        return Err(format!("{shown} is no file of at most {FILE_OCTETS_MAX} octets"));
    }
    // Our group may read it, as where another user owns the file; it may not write it, and others may do nothing.
    if readers == Readers::Ourselves && metadata.mode() & 0o027 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(format!(
            "{shown} has mode {mode:04o} and holds a secret; set 0600, or 0640 with a group of its own"
        ));
    }
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).map_err(unreadable)?;
    Ok(octets)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|fault| format!("{shown} cannot be read as PEM: {fault}"))?;
    if found.is_empty() {
        return Err(format!("{shown} holds no certificate in PEM form"));
    }
    if let Some(fault) = found
        .iter()
        .find_map(|each| webpki::EndEntityCert::try_from(each).err())
    {
        return Err(format!("{shown} holds a certificate that cannot be read: {fault}"));
    }
    Ok(found)
}

fn first_line(path: &Path, text: &[u8]) -> Result<Secret, String> {
    let text = std::str::from_utf8(text).map_err(|_| format!("{} is no text", path.display()))?;
    match text.lines().next().map(str::trim_end) {
        Some(line) if !line.is_empty() && !line.contains('\0') => Ok(Secret::new(line)),
        Some(_) | None => Err(format!("the first line of {} holds no secret", path.display())),
    }
}

fn read_again(source: &str) -> Option<SettingsFile> {
    let (root, syntax) = crate::connectors::document::parse_toml(source);
    SettingsFile::read(&root, "", &mut Faults::of_syntax(syntax))
}

fn place_of_anchors(source: &str) -> Range<usize> {
    let dns = read_again(source).and_then(|file| file.dns);
    let stated = dns.and_then(|dns| dns.get_ref().trust_anchor_file.as_ref().map(Spanned::span));
    stated.unwrap_or(0..0)
}

/// Where the settings state a next hop.
fn place(source: &str, index: usize) -> Range<usize> {
    let hops = read_again(source).and_then(|file| file.next_hops);
    let hop = hops.as_ref().and_then(|hops| hops.get_ref().get(index));
    hop.and_then(|hop| hop.get_ref().name.as_ref().map(Spanned::span))
        .unwrap_or(0..0)
}
