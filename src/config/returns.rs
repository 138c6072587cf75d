//! Checks of `[return_paths]`: an address that reports can come back to.

use super::cross::{Checks, numbered, value};
use super::defaults::RETURN_PATH_LOCAL_PART_MAX;
use super::settings::ReturnPath;
use super::word::DomainPattern;
use crate::mail::Domain;

impl Checks<'_> {
    pub(super) fn return_paths(&mut self) {
        let file = self.file;
        let paths = value(&file.return_paths);
        let bounce_address = paths.and_then(|paths| paths.bounce_address.as_ref());
        for (index, hop) in numbered(&file.next_hops) {
            if let Some(stated) = &hop.return_path
                && *stated.get_ref() != ReturnPath::Original
                && bounce_address.is_none()
            {
                let message = "this needs `return_paths.bounce_address`: reports must have somewhere to come back to";
                self.error(stated.span(), format!("next_hops[{index}].return_path"), message);
            }
        }
        if let Some(address) = bounce_address {
            let key = "return_paths.bounce_address";
            let local = address.get_ref().local_part();
            let plain = local
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            if !plain || local.len() > RETURN_PATH_LOCAL_PART_MAX {
                let message = format!(
                    "expected at most {RETURN_PATH_LOCAL_PART_MAX} ASCII letters, digits, dots, hyphens and underscores before the @: \
                     the token behind it must fit into 64 octets"
                );
                self.error(address.span(), key, message);
            }
            self.accepted(&address.get_ref().domain_key(), address.span(), key);
        }
        if let Some(domain) = paths.and_then(|paths| paths.srs_domain.as_ref()) {
            self.accepted(domain.get_ref(), domain.span(), "return_paths.srs_domain");
        }
        if let Some(valid) = paths.and_then(|paths| paths.valid_for.as_ref())
            && !(1..=500).contains(&valid.get_ref().as_secs().div_ceil(24 * 60 * 60))
        {
            self.error(
                valid.span(),
                "return_paths.valid_for",
                "expected a time from 1d to 500d",
            );
        }
    }

    fn accepted(&mut self, domain: &Domain, span: std::ops::Range<usize>, key: &str) {
        let accepted = |name| value(name).is_some_and(|name: &DomainPattern| name.matches(domain));
        if !numbered(&self.file.accepted_domains).any(|(_, each)| accepted(&each.name)) {
            let message = format!("{domain} is not an accepted domain, so reports could not come back");
            self.error(span, key, message);
        }
    }
}
