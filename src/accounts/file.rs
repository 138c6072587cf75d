//! The file of accounts: a line each, with the name, what its password is checked against, and its addresses.
//!
//! ```text
//! # name            argon2id (RFC 9106)                     SCRAM keys (RFC 5803)                        addresses
//! lena@contoso.example $argon2id$v=19$m=19456,t=2,p=1$…$… SCRAM-SHA-256$10000:…$…:…
//! newsletter        $argon2id$v=19$m=19456,t=2,p=1$…$… send-as=news@contoso.example,*@lists.contoso.example
//! ```
//! Never: a password in it; the name of an account told by the time an answer takes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::resolver::{AddressPattern, Login};
use crate::smtp::sasl::Secret;
use crate::smtp::sasl::scram::{ITERATIONS, ScramKeys};

/// Largest file, in octets: some 100,000 accounts.
const FILE_OCTETS_MAX: u64 = 32 * 1024 * 1024;
/// Fewest rounds of SCRAM keys (RFC 7677 §4).
const ITERATIONS_MIN: u32 = 4_096;
const SCRAM: &str = "SCRAM-SHA-256$";
const SEND_AS: &str = "send-as=";

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFileFault {
    /// The file itself.
    #[error("{path}: {fault}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: String,
    },
    /// A line of it. What stands there is not told: it may be a secret in the wrong place.
    #[error("{path}, line {line}: {fault}", path = .path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        fault: String,
    },
}

/// All accounts of the file.
#[derive(Debug)]
pub struct PasswordFile {
    accounts: HashMap<String, Account>,
    /// What the password of an account that does not exist is checked against.
    nobody: PasswordHash,
}

#[derive(Debug)]
struct Account {
    login: Login,
    hash: Option<PasswordHash>,
    keys: Option<ScramKeys>,
}

impl PasswordFile {
    /// Reads the file; the first fault is told.
    pub fn read(path: &Path) -> Result<Self, PasswordFileFault> {
        let of = |fault: String| PasswordFileFault::File {
            path: path.to_owned(),
            fault,
        };
        let metadata = std::fs::metadata(path).map_err(|fault| match fault.kind() {
            std::io::ErrorKind::NotFound => of("it does not exist: `muster password NAME` makes its lines".to_owned()),
            _ => of(fault.to_string()),
        })?;
        if !metadata.is_file() || metadata.len() > FILE_OCTETS_MAX {
            return Err(of("it is no file of accounts".to_owned()));
        }
        if metadata.mode() & 0o027 != 0 {
            let mode = metadata.mode() & 0o777;
            return Err(of(format!(
                "it has mode {mode:04o}: set 0600, or 0640 with a group of its own"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|fault| of(fault.to_string()))?;
        Self::parse(&text).map_err(|(line, fault)| PasswordFileFault::Line {
            path: path.to_owned(),
            line,
            fault,
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut accounts = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let account = parse_line(line).map_err(|fault| (index + 1, fault))?;
            let name = key(&account.login.name);
            if accounts.insert(name, account).is_some() {
                return Err((index + 1, "the account is there twice".to_owned()));
            }
        }
        let nobody = Argon2::default()
            .hash_password(b"nobody's")
            .map_err(|fault| (0, format!("no salt can be had: {fault}")))?;
        Ok(Self { accounts, nobody })
    }

    /// The account of a name, in any case.
    #[must_use]
    pub fn login(&self, name: &str) -> Option<Login> {
        self.accounts.get(&key(name)).map(|account| account.login.clone())
    }

    /// True if it is the account's password. Takes as long for an account that does not exist.
    #[must_use]
    pub fn verify(&self, name: &str, password: &Secret) -> bool {
        let hash = self.accounts.get(&key(name)).and_then(|account| account.hash.as_ref());
        let checked = Argon2::default().verify_password(password.reveal().as_bytes(), hash.unwrap_or(&self.nobody));
        hash.is_some() && checked.is_ok()
    }

    /// What SCRAM checks against.
    #[must_use]
    pub fn keys(&self, name: &str) -> Option<ScramKeys> {
        self.accounts.get(&key(name)).and_then(|account| account.keys.clone())
    }
}

/// Names of accounts are compared without case: most are addresses.
fn key(name: &str) -> String {
    name.to_lowercase()
}

fn parse_line(line: &str) -> Result<Account, String> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let mut addresses = Vec::new();
    let (mut hash, mut keys) = (None, None);
    for word in words {
        if word.starts_with("$argon2id$") {
            let parsed = PasswordHash::new(word).ok();
            let whole = parsed.filter(|hash| hash.salt.is_some() && hash.hash.is_some());
            hash = Some(whole.ok_or("the argon2id hash is malformed")?);
        } else if let Some(rest) = word.strip_prefix(SCRAM) {
            keys = Some(parse_keys(rest).ok_or("the SCRAM keys are malformed")?);
        } else if let Some(list) = word.strip_prefix(SEND_AS) {
            for pattern in list.split(',') {
                addresses.push(pattern.parse::<AddressPattern>().map_err(|fault| fault.to_string())?);
            }
        } else {
            return Err(format!("a word is neither $argon2id$…, {SCRAM}… nor {SEND_AS}…"));
        }
    }
    if hash.is_none() && keys.is_none() {
        return Err("the account has no password".to_owned());
    }
    let login = Login::new(name, addresses).ok_or("the name holds control characters")?;
    Ok(Account { login, hash, keys })
}

/// `rounds:salt$StoredKey:ServerKey` (RFC 5803 §2).
fn parse_keys(text: &str) -> Option<ScramKeys> {
    let (iterations, rest) = text.split_once(':')?;
    let (salt, rest) = rest.split_once('$')?;
    let (stored, server) = rest.split_once(':')?;
    let octets = |text: &str| BASE64.decode(text).ok();
    Some(ScramKeys {
        salt: octets(salt).filter(|salt| !salt.is_empty())?,
        iterations: iterations.parse().ok().filter(|rounds| *rounds >= ITERATIONS_MIN)?,
        stored_key: octets(stored)?.try_into().ok()?,
        server_key: octets(server)?.try_into().ok()?,
    })
}

/// The line of an account, for `muster password`; `salt` is for SCRAM, nobody has to know it.
pub fn line(name: &str, password: &Secret, addresses: &[AddressPattern], salt: [u8; 16]) -> Result<String, String> {
    let login = Login::new(name, Vec::new()).ok_or("the name of an account holds no blanks and control characters")?;
    if password.reveal().is_empty() {
        return Err("the password is empty".to_owned());
    }
    let hash = Argon2::default()
        .hash_password(password.reveal().as_bytes())
        .map_err(|fault| fault.to_string())?;
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        &salt,
        password.reveal().as_bytes(),
        &mut salted,
    );
    let keys = ScramKeys::of_salted(&salted, &salt, ITERATIONS);
    let (salt, stored, server) = (
        BASE64.encode(&keys.salt),
        BASE64.encode(keys.stored_key),
        BASE64.encode(keys.server_key),
    );
    let mut line = format!("{} {hash} {SCRAM}{ITERATIONS}:{salt}${stored}:{server}", login.name);
    for (index, pattern) in addresses.iter().enumerate() {
        let before = if index == 0 { " send-as=" } else { "," };
        let _ = write!(line, "{before}{pattern}");
    }
    Ok(line)
}
