//! Parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY, ORCPT
//! (RFC 3461), AUTH (RFC 4954), REQUIRETLS (RFC 8689), and nothing else.
//!
//! In: the text behind the path, without its first blank. Out: typed parameters, or the fault.
//! Never: a decoded xtext (it goes on as it came), a parameter passed over in silence.

use super::command::{CommandFault, Dialect};
use super::xtext;
use crate::mail::{BodyType, Notify, OriginalRecipient, ReturnContent};

/// Longest decoded ENVID in characters (RFC 3461 §4.4).
pub const ENVID_CHARACTERS_MAX: usize = 100;
/// Longest ORCPT value in characters (RFC 3461 §4.2).
pub const ORCPT_CHARACTERS_MAX: usize = 500;

/// Parameters of MAIL.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MailParameters {
    /// `SIZE=` in octets; a number beyond 64 bits is the largest.
    pub size: Option<u64>,
    /// `BODY=`.
    pub body: Option<BodyType>,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
    /// `RET=`.
    pub ret: Option<ReturnContent>,
    /// `ENVID=`, xtext.
    pub envid: Option<Box<str>>,
    /// `REQUIRETLS`.
    pub require_tls: bool,
    /// `AUTH=` was given. What it says is not kept: who the sender is follows from proof, not from a client's word.
    pub auth: bool,
}

/// Parameters of RCPT.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RcptParameters {
    /// `NOTIFY=`.
    pub notify: Option<Notify>,
    /// `ORCPT=`.
    pub original: Option<OriginalRecipient>,
}

impl MailParameters {
    /// Reads `text`: empty, or parameters with one blank between them.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, CommandFault> {
        let mut found = Self::default();
        for_each(text, dialect, |keyword, value| found.take(keyword, value))?;
        Ok(found)
    }

    fn take(&mut self, keyword: &str, value: Option<&str>) -> Result<(), CommandFault> {
        let is = |word: &str| keyword.eq_ignore_ascii_case(word);
        if is("SIZE") {
            once(&mut self.size, parse_size(needed(value)?)?)
        } else if is("BODY") {
            once(&mut self.body, parse_body(needed(value)?)?)
        } else if is("SMTPUTF8") {
            // RFC 6531 §3.1 (5): the parameter takes no value.
            flag(&mut self.smtputf8, value)
        } else if is("REQUIRETLS") {
            // RFC 8689 §2.
            flag(&mut self.require_tls, value)
        } else if is("RET") {
            once(&mut self.ret, parse_ret(needed(value)?)?)
        } else if is("ENVID") {
            once(&mut self.envid, parse_envid(needed(value)?)?)
        } else if is("AUTH") {
            // RFC 4954 §5: `<>` or a mailbox, in xtext.
            let text = needed(value)?;
            if text != "<>" && xtext::decode(text.as_bytes()).is_none() {
                return Err(CommandFault::ParameterValue);
            }
            flag(&mut self.auth, None)
        } else {
            Err(CommandFault::ParameterUnknown)
        }
    }
}

impl RcptParameters {
    /// Reads `text`: empty, or parameters with one blank between them.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, CommandFault> {
        let mut found = Self::default();
        for_each(text, dialect, |keyword, value| found.take(keyword, value))?;
        Ok(found)
    }

    fn take(&mut self, keyword: &str, value: Option<&str>) -> Result<(), CommandFault> {
        if keyword.eq_ignore_ascii_case("NOTIFY") {
            once(&mut self.notify, parse_notify(needed(value)?)?)
        } else if keyword.eq_ignore_ascii_case("ORCPT") {
            once(&mut self.original, parse_orcpt(needed(value)?)?)
        } else {
            Err(CommandFault::ParameterUnknown)
        }
    }
}

/// Calls `take` with each `keyword[=value]` (RFC 5321 §4.1.2 `esmtp-param`).
fn for_each(
    text: &str,
    dialect: Dialect,
    mut take: impl FnMut(&str, Option<&str>) -> Result<(), CommandFault>,
) -> Result<(), CommandFault> {
    if text.is_empty() {
        return Ok(());
    }
    for parameter in text.split(' ') {
        let (keyword, value) = match parameter.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (parameter, None),
        };
        let mut letters = keyword.bytes();
        let well_formed = letters.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && letters.all(|b| b.is_ascii_alphanumeric() || b == b'-');
        // esmtp-value: printable without `=`; RFC 6531 §3.3 adds UTF-8.
        let printable = |value: &str| !value.is_empty() && !value.contains(|c: char| c == '=' || c.is_control());
        if !well_formed || !value.is_none_or(printable) {
            return Err(CommandFault::ParameterValue);
        }
        match dialect {
            Dialect::Extended => take(keyword, value)?,
            // RFC 5321 §4.1.1.11: what EHLO did not offer is 555.
            Dialect::Plain => return Err(CommandFault::ParameterUnknown),
        }
    }
    Ok(())
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), CommandFault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(CommandFault::ParameterTwice),
    }
}

/// A keyword that takes no value.
fn flag(place: &mut bool, value: Option<&str>) -> Result<(), CommandFault> {
    match (value, std::mem::replace(place, true)) {
        (Some(_), _) => Err(CommandFault::ParameterValue),
        (None, true) => Err(CommandFault::ParameterTwice),
        (None, false) => Ok(()),
    }
}

fn needed(value: Option<&str>) -> Result<&str, CommandFault> {
    value.ok_or(CommandFault::ParameterValue)
}

/// RFC 1870 §3: `1*20DIGIT`.
fn parse_size(value: &str) -> Result<u64, CommandFault> {
    if value.len() > 20 || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CommandFault::ParameterValue);
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn parse_body(value: &str) -> Result<BodyType, CommandFault> {
    if value.eq_ignore_ascii_case("7BIT") {
        Ok(BodyType::SevenBit)
    } else if value.eq_ignore_ascii_case("8BITMIME") {
        Ok(BodyType::EightBitMime)
    } else {
        // BINARYMIME needs CHUNKING (RFC 3030 §3).
        Err(CommandFault::ParameterValue)
    }
}

fn parse_ret(value: &str) -> Result<ReturnContent, CommandFault> {
    if value.eq_ignore_ascii_case("FULL") {
        Ok(ReturnContent::Full)
    } else if value.eq_ignore_ascii_case("HDRS") {
        Ok(ReturnContent::Headers)
    } else {
        Err(CommandFault::ParameterValue)
    }
}

/// RFC 3461 §4.4: xtext of at most 100 printable characters.
fn parse_envid(value: &str) -> Result<Box<str>, CommandFault> {
    match xtext::decode(value.as_bytes()) {
        Some(decoded) if decoded.len() <= ENVID_CHARACTERS_MAX && is_printable(&decoded) => Ok(value.into()),
        _ => Err(CommandFault::ParameterValue),
    }
}

/// RFC 3461 §4.1: `NEVER`, or a list of the others.
fn parse_notify(value: &str) -> Result<Notify, CommandFault> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Ok(Notify::NEVER);
    }
    let mut notify = Notify::NEVER;
    for word in value.split(',') {
        if word.eq_ignore_ascii_case("SUCCESS") {
            notify.success = true;
        } else if word.eq_ignore_ascii_case("FAILURE") {
            notify.failure = true;
        } else if word.eq_ignore_ascii_case("DELAY") {
            notify.delay = true;
        } else {
            return Err(CommandFault::ParameterValue);
        }
    }
    Ok(notify)
}

/// RFC 3461 §4.2: `addr-type ";" xtext`; RFC 6533 §3 lets `utf-8` addresses come raw, which we keep in its
/// ASCII form, so that any next hop can take it.
fn parse_orcpt(value: &str) -> Result<OriginalRecipient, CommandFault> {
    let (address_type, address) = value.split_once(';').ok_or(CommandFault::ParameterValue)?;
    let is_atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    if value.len() > ORCPT_CHARACTERS_MAX || address_type.is_empty() || !address_type.bytes().all(is_atom) {
        return Err(CommandFault::ParameterValue);
    }
    let xtext = if address.is_ascii() || !address_type.eq_ignore_ascii_case("utf-8") {
        address.to_owned()
    } else if address.contains('+') {
        // Raw or encoded, not both: unitext has no "+" (RFC 6533 §3).
        return Err(CommandFault::ParameterValue);
    } else {
        embed_unicode(address)
    };
    match xtext::decode(xtext.as_bytes()) {
        Some(decoded) if !decoded.is_empty() && is_printable(&decoded) => Ok(OriginalRecipient {
            address_type: address_type.into(),
            xtext: xtext.into(),
        }),
        _ => Err(CommandFault::ParameterValue),
    }
}

/// `utf-8-addr-xtext` of RFC 6533 §3: each non-ASCII character as `\x{HEX}`.
fn embed_unicode(address: &str) -> String {
    let mut out = String::with_capacity(address.len() * 3);
    for c in address.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
        }
    }
    out
}

/// RFC 3461 §4.2, §4.4: decoded text is graphic or white space US-ASCII; control octets would forge report fields.
fn is_printable(decoded: &[u8]) -> bool {
    decoded.iter().all(|octet| (b' '..=b'~').contains(octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str) -> Result<MailParameters, CommandFault> {
        MailParameters::parse(text, Dialect::Extended)
    }

    fn rcpt(text: &str) -> Result<RcptParameters, CommandFault> {
        RcptParameters::parse(text, Dialect::Extended)
    }

    #[test]
    fn reads_parameters() {
        let all = mail("size=00012 body=8bitmime SMTPUTF8 RET=hdrs ENVID=a+2Bb").expect("valid");
        assert_eq!(
            (all.size, all.body, all.smtputf8),
            (Some(12), Some(BodyType::EightBitMime), true)
        );
        assert_eq!(
            (all.ret, all.envid.as_deref()),
            (Some(ReturnContent::Headers), Some("a+2Bb"))
        );
        assert_eq!(
            mail("SIZE=99999999999999999999").expect("20 digits").size,
            Some(u64::MAX)
        );
        let one = rcpt("NOTIFY=delay,SUCCESS ORCPT=rfc822;a+2Bb@c").expect("valid");
        assert_eq!(
            one.notify.map(|notify| notify.to_string()).as_deref(),
            Some("SUCCESS,DELAY")
        );
        assert_eq!(one.original.map(|original| original.xtext).as_deref(), Some("a+2Bb@c"));
        let utf8 = rcpt("ORCPT=utf-8;gr\u{fc}n@c")
            .expect("RFC 6533")
            .original
            .expect("given");
        assert_eq!(&*utf8.xtext, "gr\\x{FC}n@c");
        assert_eq!(rcpt("NOTIFY=never").expect("valid").notify, Some(Notify::NEVER));
    }

    #[test]
    fn refuses_the_rest() {
        use CommandFault::{ParameterTwice as Twice, ParameterUnknown as Unknown, ParameterValue as Value};
        let long = format!("ENVID={}", "x".repeat(101));
        for (text, fault) in [
            ("SIZE", Value),
            ("SIZE=", Value),
            ("SIZE=-1", Value),
            ("SIZE=1k", Value),
            ("SIZE=+1", Value),
            ("SIZE=999999999999999999999", Value),
            ("SIZE=1 SIZE=1", Twice),
            ("SIZE=1  BODY=7BIT", Value),
            ("SIZE=1\tBODY=7BIT", Value),
            ("BODY=BINARYMIME", Value),
            ("BODY=8BIT", Value),
            ("SMTPUTF8=1", Value),
            ("SMTPUTF8 SMTPUTF8", Twice),
            ("RET=ALL", Value),
            ("RET=FULL RET=HDRS", Twice),
            ("ENVID=", Value),
            ("ENVID=a=b", Value),
            ("ENVID=a+0D+0AX:", Value),
            ("ENVID=a+zz", Value),
            (&long, Value),
            ("AUTH", Value),
            ("AUTH=+ZZ", Value),
            ("AUTH=<> AUTH=<>", Twice),
            ("REQUIRETLS=yes", Value),
            ("REQUIRETLS REQUIRETLS", Twice),
            ("X-Y=1", Unknown),
            ("-X=1", Value),
            ("=1", Value),
            ("NOTIFY=NEVER", Unknown),
        ] {
            assert_eq!(mail(text), Err(fault), "{text:?}");
        }
        let long = format!("ORCPT=rfc822;{}", "x".repeat(500));
        for (text, fault) in [
            ("NOTIFY=", Value),
            ("NOTIFY=NEVER,SUCCESS", Value),
            ("NOTIFY=SUCCESS,", Value),
            ("NOTIFY=SUCCESS NOTIFY=DELAY", Twice),
            ("ORCPT=a@b", Value),
            ("ORCPT=;a@b", Value),
            ("ORCPT=rfc822;", Value),
            ("ORCPT=rfc(822;a@b", Value),
            ("ORCPT=rfc822;a+0Ab", Value),
            ("ORCPT=rfc822;a+00b", Value),
            ("ORCPT=rfc822;gr\u{fc}n@c", Value),
            (&long, Value),
            ("SIZE=1", Unknown),
        ] {
            assert_eq!(rcpt(text), Err(fault), "{text:?}");
        }
        assert_eq!(MailParameters::parse("SIZE=1", Dialect::Plain), Err(Unknown));
    }
}
