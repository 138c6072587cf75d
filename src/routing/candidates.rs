//! In which order the hosts of a next hop are tried (RFC 5321 §5.1).

use std::net::IpAddr;

/// An MX record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailExchanger {
    /// Lower is tried first.
    pub preference: u16,
    /// Host name without trailing dot; empty for the null MX.
    pub host: String,
}

/// Why a domain's MX records lead nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExchangeFault {
    /// `MX 0 .`: the domain takes no mail (RFC 7505): 556 5.1.10.
    #[error("the domain takes no mail")]
    NullMx,
    /// The best exchanger is ourselves: delivering would loop (RFC 5321 §5.1): 5.4.6.
    #[error("the domain's mail exchanger is this relay")]
    OwnName,
}

/// Sorts by preference; equals are shuffled with `below(n)`, which gives a number in `0..n`.
pub fn by_preference<T>(hosts: &mut [T], preference: impl Fn(&T) -> u16, mut below: impl FnMut(u64) -> u64) {
    for index in (1..hosts.len()).rev() {
        let other = below(index as u64 + 1) as usize;
        hosts.swap(index, other.min(index));
    }
    hosts.sort_by_key(preference);
}

/// The same with weights: of equals one of weight 3 comes first three times as often as one of weight 1. A weight of 0
/// counts as 1. `rank` tells preference and weight.
pub fn by_weight<T>(hosts: &mut [T], rank: impl Fn(&T) -> (u16, u16), mut below: impl FnMut(u64) -> u64) {
    let weight = |host: &T| u64::from(rank(host).1.max(1));
    for start in 0..hosts.len() {
        let rest = &mut hosts[start..];
        let mut drawn = below(rest.iter().map(weight).sum());
        let found = rest.iter().position(|host| {
            let hit = drawn < weight(host);
            drawn = drawn.saturating_sub(weight(host));
            hit
        });
        rest.swap(0, found.unwrap_or(0));
    }
    hosts.sort_by_key(|host| rank(host).0);
}

/// Addresses of one host with the families in turn, IPv6 first, so that one that leads nowhere costs one wait only
/// (RFC 8305 §4).
#[must_use]
pub fn interleaved(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let count = v6.len().max(v4.len());
    (0..count)
        .flat_map(|index| [v6.get(index).copied(), v4.get(index).copied()])
        .flatten()
        .collect()
}

/// Mail exchangers in the order to be tried.
///
/// If one of them is us (`own_names`, compared without case), it and all of the same or a higher preference
/// value are left out, since they would only send the message back (RFC 5321 §5.1). At most
/// [`crate::limits::MX_HOSTS_MAX`] are kept.
pub fn exchangers(
    mut records: Vec<MailExchanger>,
    own_names: &[String],
    below: impl FnMut(u64) -> u64,
) -> Result<Vec<MailExchanger>, ExchangeFault> {
    // RFC 7505 §3: a null MX stands alone; beside others it is a mistake and is left out.
    records.retain(|record| !record.host.is_empty());
    if records.is_empty() {
        return Err(ExchangeFault::NullMx);
    }
    let is_own = |record: &&MailExchanger| own_names.iter().any(|name| name.eq_ignore_ascii_case(&record.host));
    if let Some(own) = records.iter().filter(is_own).map(|record| record.preference).min() {
        records.retain(|record| record.preference < own);
        if records.is_empty() {
            return Err(ExchangeFault::OwnName);
        }
    }
    by_preference(&mut records, |record| record.preference, below);
    records.truncate(crate::limits::MX_HOSTS_MAX);
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(preference: u16, host: &str) -> MailExchanger {
        MailExchanger {
            preference,
            host: host.to_owned(),
        }
    }

    fn hosts(records: Vec<MailExchanger>, own: &str) -> Result<Vec<String>, ExchangeFault> {
        let sorted = exchangers(records, &[own.to_owned()], |bound| bound / 2)?;
        Ok(sorted.into_iter().map(|record| record.host).collect())
    }

    #[test]
    fn lower_preference_values_come_first() {
        let records = vec![record(20, "b"), record(10, "a"), record(30, "c")];
        assert_eq!(hosts(records, "us").expect("hosts"), ["a", "b", "c"]);
    }

    #[test]
    fn every_order_of_equals_occurs() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..36_u64 {
            let mut draws = [seed % 6, seed / 6].into_iter();
            let mut list = ["a", "b", "c"];
            by_preference(&mut list, |_| 10, |bound| draws.next().unwrap_or(0) % bound);
            seen.insert(list);
        }
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn weights_share_the_load() {
        let mut first = std::collections::BTreeMap::new();
        for draw in 0..4 {
            let mut list = [("a", 10, 3), ("b", 10, 1), ("backup", 20, 9)];
            by_weight(&mut list, |host| (host.1, host.2), |bound| draw * bound / 4);
            assert_eq!(
                list[2].0, "backup",
                "a higher preference value comes last whatever its weight"
            );
            *first.entry(list[0].0).or_insert(0) += 1;
        }
        assert!(first["a"] > 0 && first.values().sum::<i32>() == 4, "{first:?}");
        let mut share = 0;
        for draw in 0..4 {
            let mut list = [("a", 10, 3), ("b", 10, 1)];
            by_weight(&mut list, |host| (host.1, host.2), |bound| draw.min(bound - 1));
            share += u32::from(list[0].0 == "a");
        }
        assert_eq!(share, 3);
    }

    #[test]
    fn families_take_turns() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.3"].map(ip).to_vec();
        let wanted = ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"].map(ip);
        assert_eq!(interleaved(addresses), wanted);
        assert_eq!(interleaved(Vec::new()), Vec::<IpAddr>::new());
    }

    #[test]
    fn ourselves_and_what_is_behind_us_is_left_out() {
        let records = || vec![record(10, "a"), record(20, "US"), record(20, "b"), record(30, "c")];
        assert_eq!(hosts(records(), "us").expect("hosts"), ["a"]);
        assert_eq!(hosts(records()[1..].to_vec(), "us"), Err(ExchangeFault::OwnName));
    }

    #[test]
    fn a_null_mx_takes_no_mail_and_beside_others_it_is_a_mistake() {
        assert_eq!(hosts(vec![record(0, "")], "us"), Err(ExchangeFault::NullMx));
        assert_eq!(hosts(vec![record(0, ""), record(5, "a")], "us").expect("hosts"), ["a"]);
    }

    #[test]
    fn five_hundred_exchangers_are_cut_to_a_bound() {
        let records = (0..500).map(|number| record(number, "x")).collect();
        assert_eq!(hosts(records, "us").expect("hosts").len(), crate::limits::MX_HOSTS_MAX);
    }
}
