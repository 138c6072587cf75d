//! What the RFCs of mail transport demand (MUST, REQUIRED, SHALL) of a server like ours, an MX and relay that expands
//! groups, and the test that shows each. `tests/tidy.rs` looks for every test, and bounds the departures.
//!
//! Left out is what is asked of others: mailboxes, mail gateways to other systems, VRFY that verifies, zones, registries;
//! and commands that nobody has had for decades (SEND, SAML, SOML, TURN).

mod carried;
mod client;
mod protected;
mod reported;
mod server;

/// One demand.
#[derive(Clone, Copy, Debug)]
pub struct Requirement {
    /// The RFC.
    pub rfc: u16,
    /// Its section, or letter of an appendix.
    pub section: &'static str,
    /// What it demands, in our words.
    pub must: &'static str,
    /// How we stand to it.
    pub stand: Stand,
}

/// How we stand to a demand.
#[derive(Clone, Copy, Debug)]
pub enum Stand {
    /// This test shows that it is met: `file::function`, a dialogue by its title, or a script by one of its lines.
    Shown(&'static str),
    /// It is not met, or not everywhere, and this is why.
    Departure(&'static str),
}

const fn shown(rfc: u16, section: &'static str, must: &'static str, test: &'static str) -> Requirement {
    Requirement {
        rfc,
        section,
        must,
        stand: Stand::Shown(test),
    }
}

const fn departure(rfc: u16, section: &'static str, must: &'static str, why: &'static str) -> Requirement {
    Requirement {
        rfc,
        section,
        must,
        stand: Stand::Departure(why),
    }
}

/// The RFCs that were gone through from end to end.
pub const RFCS: [u16; 16] = [
    1870, 2034, 2920, 3030, 3207, 3461, 3463, 4954, 5321, 6152, 6531, 7505, 7672, 8314, 8461, 8689,
];

/// All demands, by what they are about.
#[must_use]
pub fn all() -> Vec<Requirement> {
    [
        server::SERVER,
        client::CLIENT,
        carried::EXTENSIONS,
        protected::PROTECTION,
        reported::REPORTS,
    ]
    .concat()
}
