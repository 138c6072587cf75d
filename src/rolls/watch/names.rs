//! Who uses a name: a multi-map from names to groups or asks, eight octets an entry.
//!
//! In: names in their comparison form, kept as hashes. Out: numbers that may use a name; two names with one hash make
//! a group be looked at once too often, nothing else. Never: a name whose use is missed.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::directory::dn::DistinguishedName;
use crate::mail::Mailbox;

/// Hash of a name in its comparison form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NameHash(u64);

impl NameHash {
    pub(super) fn of(name: &str) -> Self {
        // Fixed keys: a hash is made again when its use ends.
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self(hasher.finish())
    }

    fn shard(self) -> usize {
        // 12 bits fit a usize.
        usize::try_from(self.0 >> (64 - SHARD_BITS)).unwrap_or(0)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
    fn tag(self) -> u32 {
        self.0 as u32
    }
}

/// Every name by which a reference may be found; changes together with
/// [`crate::directory::Directory::lookup_reference`].
pub(super) fn names_in(reference: &str) -> Vec<NameHash> {
    let text = reference.trim();
    let mut names = vec![NameHash::of(&text.to_lowercase())];
    let mailbox = |text: &str, names: &mut Vec<NameHash>| {
        if let Ok(mailbox) = Mailbox::parse(text) {
            names.push(NameHash::of(mailbox.key().as_str()));
        }
    };
    mailbox(text, &mut names);
    if let Some((_, value)) = text.split_once(':') {
        mailbox(value, &mut names);
        names.push(NameHash::of(&value.trim().to_lowercase()));
    }
    if let Some(dn) = DistinguishedName::parse(text) {
        names.push(NameHash::of(dn.as_str()));
    }
    names.sort_unstable();
    names.dedup();
    names
}

const SHARD_BITS: u32 = 12;

/// Names and the numbers that use them.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Sorted, so that an entry is found by halving and takes no more than its eight octets.
    shards: Vec<Vec<(u32, u32)>>,
    len: usize,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            shards: vec![Vec::new(); 1 << SHARD_BITS],
            len: 0,
        }
    }
}

impl Names {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Notes uses; one that is noted already stays one.
    pub(super) fn add(&mut self, uses: impl IntoIterator<Item = (NameHash, u32)>) {
        let mut touched = Vec::new();
        for (name, user) in uses {
            let Some(shard) = self.shards.get_mut(name.shard()) else {
                continue;
            };
            shard.push((name.tag(), user));
            self.len += 1;
            touched.push(name.shard());
        }
        touched.sort_unstable();
        touched.dedup();
        for place in touched {
            let Some(shard) = self.shards.get_mut(place) else {
                continue;
            };
            let with_repetitions = shard.len();
            shard.sort_unstable();
            shard.dedup();
            self.len -= with_repetitions - shard.len();
        }
    }

    /// Forgets uses.
    pub(super) fn remove(&mut self, uses: impl IntoIterator<Item = (NameHash, u32)>) {
        for (name, user) in uses {
            let Some(shard) = self.shards.get_mut(name.shard()) else {
                continue;
            };
            if let Ok(place) = shard.binary_search(&(name.tag(), user)) {
                shard.remove(place);
                self.len -= 1;
            }
        }
    }

    /// Who may use a name.
    pub(super) fn users(&self, name: NameHash) -> impl Iterator<Item = u32> + '_ {
        let shard: &[(u32, u32)] = self.shards.get(name.shard()).map_or(&[], |shard| shard);
        let tag = name.tag();
        let start = shard.partition_point(|(each, _)| *each < tag);
        shard
            .iter()
            .skip(start)
            .take_while(move |(each, _)| *each == tag)
            .map(|(_, user)| *user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::index::names_of;
    use crate::directory::testing::{directory, person};

    #[test]
    fn every_way_to_name_an_object_shares_a_name_with_it() {
        let people = [person("Lena@contoso.example")
            .proxy("smtp:l.berg@contoso.example")
            .proxy("X500:/o=Contoso/cn=Old Lena")
            .legacy_dn("/o=Contoso/cn=Lena")
            .dn("CN=Lena Berg,OU=Sales,DC=contoso,DC=example")
            .alias(Some("Lena.B"))
            .id("6F9619FF-8B86-D011-B42D-00C04FC964FF")];
        let directory = directory(people);
        let (_, lena) = directory.recipients().next().expect("one");
        let own: Vec<NameHash> = names_of(&lena).iter().map(|name| NameHash::of(name)).collect();
        for reference in [
            "LENA@contoso.example",
            " smtp:L.Berg@Contoso.example",
            "X500:/o=contoso/cn=old lena",
            "EX:/o=Contoso/CN=lena",
            "/O=contoso/cn=LENA",
            "cn=lena berg, ou=sales, dc=contoso, dc=example",
            "contoso.example/sales/lena berg",
            "lena.b",
            "Lena Berg",
            "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        ] {
            assert!(directory.lookup_reference(reference).one().is_some(), "{reference}");
            let names = names_in(reference);
            assert!(names.iter().any(|name| own.contains(name)), "{reference}");
        }
    }

    #[test]
    fn uses_come_and_go() {
        let mut names = Names::default();
        let (one, two) = (NameHash::of("lena"), NameHash::of("jonas"));
        names.add([(one, 7), (two, 7), (one, 3), (one, 7)]);
        assert_eq!(names.users(one).collect::<Vec<_>>(), [3, 7]);
        names.remove([(one, 3), (two, 3)]);
        assert_eq!(names.users(one).collect::<Vec<_>>(), [7]);
        names.remove([(one, 7), (two, 7)]);
        assert!(names.is_empty());
    }
}
