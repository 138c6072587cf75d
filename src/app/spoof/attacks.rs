//! The attack set: what is tried, from where, and what must not come of it.

use super::mirror::Vantage;
use super::session::Mail;
use super::weak::Guard;
use crate::mail::{Domain, Mailbox};

/// Domain of everybody who attacks: nobody has it.
const EVIL: &str = "attacker.example";

/// Whom and whose name it is about.
pub(super) struct Target {
    /// The group under attack.
    pub(super) group: Mailbox,
    /// A group that everybody may write to, with the one under attack as its only member.
    pub(super) outer: Mailbox,
    /// One of us, in whose name attackers write.
    pub(super) victim: Mailbox,
    /// Where mail for the postmaster goes: always taken, so what is left on a message shows there.
    pub(super) postmaster: Mailbox,
    /// Our name in results.
    pub(super) authserv_id: String,
    /// Field and value by which a provider names our tenant, if settings say so.
    pub(super) stamp: Option<(String, String)>,
    /// Where reports come back to, if anywhere.
    pub(super) bounces: Option<Mailbox>,
}

/// What must not come of an attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Harm {
    /// A copy for anybody.
    Delivery,
    /// A copy that bears this text.
    Mark(&'static str),
}

/// One attack.
pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) tried: String,
    pub(super) from: Vantage,
    pub(super) mail: Mail,
    pub(super) harm: Harm,
    /// What stands in its way.
    pub(super) guards: &'static [Guard],
}

use Guard::{AuthorRule, GroupOpen, Nested, SpoofedRule};

const REVERSE_PATH: &[Guard] = &[SpoofedRule, GroupOpen];
const AUTHOR: &[Guard] = &[AuthorRule, GroupOpen];
const OPEN: &[Guard] = &[GroupOpen];
const NESTED: &[Guard] = &[Nested, GroupOpen];
const BCC: &[Guard] = &[Guard::BccAllowed, GroupOpen];

impl Target {
    /// All of them but those about approvals.
    pub(super) fn attacks(&self) -> Vec<Attack> {
        let mut attacks = self.reverse_paths();
        attacks.extend(self.authors());
        attacks.extend(self.forward_paths());
        attacks.extend(self.marks());
        attacks.extend(self.lines());
        attacks
    }

    /// A message from one of theirs with these fields.
    fn mail(&self, from: &str, to: &str, fields: &str) -> Mail {
        Mail {
            helo: EVIL.to_owned(),
            mail: format!("MAIL FROM:<{from}>"),
            rcpt: vec![format!("RCPT TO:<{to}>")],
            content: format!(
                "{fields}Subject: attack\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <attack@{EVIL}>\r\n\r\nx"
            ),
        }
    }

    fn attack(&self, name: &'static str, tried: String, mail: Mail, guards: &'static [Guard]) -> Attack {
        Attack {
            name,
            tried,
            from: Vantage::Stranger,
            mail,
            harm: Harm::Delivery,
            guards,
        }
    }

    fn reverse_paths(&self) -> Vec<Attack> {
        let (group, victim) = (self.group.as_str(), self.victim.as_str());
        let own = format!("From: <{victim}>\r\nTo: <{group}>\r\n");
        let shouted = victim.to_uppercase();
        let quoted = format!("\"{victim}\"@{EVIL}");
        let alike = format!("{}@{}", self.victim.local_part(), look_alike(&self.victim.domain_key()));
        let routed = format!("@{EVIL}:{victim}");
        let mut relay = self.attack(
            "reverse-path-at-relay",
            format!("MAIL FROM:<{victim}> at the listener for our own clients"),
            self.mail(victim, group, &own),
            REVERSE_PATH,
        );
        relay.from = Vantage::Relay;
        let mut greeting = self.mail(victim, group, &own);
        greeting.helo = self.authserv_id.clone();
        vec![
            self.attack(
                "reverse-path",
                format!("MAIL FROM:<{victim}>"),
                self.mail(victim, group, &own),
                REVERSE_PATH,
            ),
            relay,
            self.attack(
                "reverse-path-case",
                format!("MAIL FROM:<{shouted}>"),
                self.mail(&shouted, group, &own),
                REVERSE_PATH,
            ),
            self.attack(
                "greeting",
                format!("EHLO {}, our own name", self.authserv_id),
                greeting,
                REVERSE_PATH,
            ),
            self.attack(
                "null-path",
                format!("MAIL FROM:<> and From: {victim}"),
                self.mail("", group, &own),
                AUTHOR,
            ),
            self.attack(
                "quoted-local-part",
                format!("MAIL FROM:<{quoted}>"),
                self.mail(&quoted, group, &own),
                AUTHOR,
            ),
            self.attack(
                "source-route",
                format!("MAIL FROM:<{routed}>"),
                self.mail(&routed, group, &own),
                REVERSE_PATH,
            ),
            self.attack(
                "look-alike",
                format!("MAIL FROM and From: {alike}"),
                self.mail(&alike, group, &format!("From: <{alike}>\r\nTo: <{group}>\r\n")),
                AUTHOR,
            ),
        ]
    }

    fn authors(&self) -> Vec<Attack> {
        let (group, victim) = (self.group.as_str(), self.victim.as_str());
        let evil = format!("x@{EVIL}");
        let encoded = format!("=?utf-8?q?{}?=", victim.replace('@', "=40"));
        let rows = [
            ("from", format!("From: <{victim}>")),
            ("from-twice", format!("From: <{evil}>\r\nFrom: <{victim}>")),
            ("from-two-mailboxes", format!("From: <{victim}>, <{evil}>")),
            ("from-group-syntax", format!("From: us: <{victim}>;")),
            ("from-encoded", format!("From: {encoded}")),
            ("from-after-null", format!("From: <{victim}>\u{0}<{evil}>")),
            ("sender", format!("From: <{evil}>\r\nSender: <{victim}>")),
            ("resent-from", format!("Resent-From: <{victim}>\r\nFrom: <{evil}>")),
            ("display-name", format!("From: \"{victim}\" <{evil}>")),
        ];
        let one = |(name, fields): (&'static str, String)| {
            let shown = fields.replace("\r\n", ", ").replace('\u{0}', "\\0");
            let mail = self.mail(&evil, group, &format!("{fields}\r\nTo: <{group}>\r\n"));
            // A reply address of theirs under a name of ours is no claim that a rule about authors could see.
            let guards = if matches!(name, "sender" | "resent-from" | "display-name") {
                OPEN
            } else {
                AUTHOR
            };
            self.attack(name, shown, mail, guards)
        };
        rows.into_iter().map(one).collect()
    }

    fn forward_paths(&self) -> Vec<Attack> {
        let (group, outer) = (&self.group, self.outer.as_str());
        let (local, domain) = (group.local_part(), group.domain());
        let evil = format!("x@{EVIL}");
        let fields = format!("From: <{evil}>\r\nTo: <{group}>\r\n");
        let to = |name, to: String, guards| {
            let mail = self.mail(&evil, &to, &fields);
            self.attack(name, format!("RCPT TO:<{to}>"), mail, guards)
        };
        let elsewhere = format!("From: <{evil}>\r\nTo: <{outer}>\r\n");
        let victim = self.victim.as_str();
        vec![
            to("quoted-recipient", format!("\"{group}\"@{domain}"), OPEN),
            to("percent-path", format!("{local}%{domain}@{domain}"), OPEN),
            to("bang-path", format!("{domain}!{local}@{domain}"), OPEN),
            to("recipient-route", format!("@{domain}:{group}"), OPEN),
            self.attack(
                "relaying",
                format!("from {victim} through us to elsewhere"),
                self.mail(victim, "somebody@elsewhere.example", &elsewhere),
                REVERSE_PATH,
            ),
            self.attack(
                "nested",
                format!("to {outer}, an open group with {group} in it"),
                self.mail(&evil, outer, &elsewhere),
                NESTED,
            ),
            self.attack(
                "nested-bcc",
                format!("the same, and no field names either group, from {victim}"),
                self.mail(victim, outer, &format!("From: <{victim}>\r\nTo: <nobody@{EVIL}>\r\n")),
                &[SpoofedRule, Nested, GroupOpen],
            ),
            self.attack(
                "bcc",
                format!("{group} in Bcc only"),
                self.mail(
                    &evil,
                    group.as_str(),
                    &format!("From: <{evil}>\r\nTo: <nobody@{EVIL}>\r\n"),
                ),
                BCC,
            ),
            self.bounce(),
            to(
                "rewritten-sender",
                format!("SRS0=AAAA=AA={EVIL}=x@{}", self.bounce_domain()),
                OPEN,
            ),
        ]
    }

    fn bounce_domain(&self) -> &str {
        self.bounces.as_ref().map_or(self.group.domain(), Mailbox::domain)
    }

    /// An address such as reports come back to, made up.
    fn bounce(&self) -> Attack {
        let local = self.bounces.as_ref().map_or("bounce", Mailbox::local_part);
        let guess = format!("{local}+{}@{}", "a".repeat(40), self.bounce_domain());
        let mail = self.mail(
            "",
            &guess,
            "Content-Type: multipart/report; report-type=delivery-status\r\n",
        );
        self.attack("bounce-address", format!("a report to {guess}, a guess"), mail, OPEN)
    }

    /// Fields that an attacker writes in our name: to an address that takes mail from everybody.
    fn marks(&self) -> Vec<Attack> {
        let evil = format!("x@{EVIL}");
        let to = self.postmaster.as_str();
        let marked = |name, field: String, mark: &'static str| {
            let fields = format!("{field}\r\nFrom: <{evil}>\r\nTo: <{to}>\r\n");
            let mut attack = self.attack(name, field.replace("\r\n", ", "), self.mail(&evil, to, &fields), &[]);
            attack.harm = Harm::Mark(mark);
            attack
        };
        let theirs = "99999999-9999-4999-8999-999999999999";
        let (field, tenant) = match &self.stamp {
            Some((field, tenant)) => (field.clone(), tenant.clone()),
            None => (
                "X-MS-Exchange-CrossTenant-Id".to_owned(),
                "11111111-1111-4111-8111-111111111111".to_owned(),
            ),
        };
        let victim = self.victim.as_str();
        let own = format!("From: <{victim}>\r\nTo: <{}>\r\n", self.group);
        let neighbour = |name, tried: &str, stamps: String| {
            let mail = self.mail(victim, self.group.as_str(), &format!("{stamps}{own}"));
            let mut attack = self.attack(name, tried.to_owned(), mail, REVERSE_PATH);
            attack.from = Vantage::Neighbour;
            attack
        };
        vec![
            marked(
                "forged-results",
                format!(
                    "Authentication-Results: {}; dmarc=pass header.from={}",
                    self.authserv_id,
                    self.victim.domain()
                ),
                "dmarc=pass",
            ),
            marked(
                "organisation-header",
                "X-MS-Exchange-Organization-AuthAs: Internal".to_owned(),
                "X-MS-Exchange-Organization-",
            ),
            marked(
                "tenant-header",
                format!("X-MS-Exchange-CrossTenant-Id: {tenant}"),
                "X-MS-Exchange-CrossTenant-Id",
            ),
            self.attack(
                "stamp-from-elsewhere",
                format!("{field}: {tenant}, not from the provider"),
                self.mail(victim, self.group.as_str(), &format!("{field}: {tenant}\r\n{own}")),
                REVERSE_PATH,
            ),
            neighbour(
                "other-tenant",
                "another customer of the provider, as us (EchoSpoofing)",
                format!("{field}: {theirs}\r\nX-MS-Exchange-Organization-AuthAs: Internal\r\n"),
            ),
            neighbour(
                "two-tenants",
                "another customer of the provider, with our stamp below its own",
                format!("{field}: {theirs}\r\n{field}: {tenant}\r\n"),
            ),
        ]
    }

    /// Tricks with line ends.
    fn lines(&self) -> Vec<Attack> {
        let (group, victim) = (self.group.as_str(), self.victim.as_str());
        let evil = format!("x@{EVIL}");
        let hidden = format!("MAIL FROM:<{victim}>\r\nRCPT TO:<{group}>\r\nDATA\r\nFrom: <{victim}>\r\n\r\nhidden");
        let with = |end: &str| {
            let mut mail = self.mail(&evil, self.postmaster.as_str(), &format!("From: <{evil}>\r\n"));
            mail.content = format!("{}{end}{hidden}", mail.content);
            mail
        };
        let mut injected = self.mail(&evil, group, &format!("From: <{evil}>\r\n"));
        injected.rcpt = vec![format!("RCPT TO:<{group}>\nMAIL FROM:<{victim}>")];
        let mut greeting = self.mail(&evil, self.postmaster.as_str(), &format!("From: <{evil}>\r\n"));
        greeting.helo = format!("{EVIL}\rX-MS-Exchange-Organization-AuthAs: Internal");
        let mut greeting = self.attack(
            "greeting-injection",
            "a field behind a CR in EHLO".to_owned(),
            greeting,
            &[],
        );
        greeting.harm = Harm::Mark("X-MS-Exchange-Organization-");
        let lines = |name, tried: &str, mail| self.attack(name, tried.to_owned(), mail, &[]);
        vec![
            lines("bare-lf", "a second message behind <LF>.<CRLF>", with("\n.\r\n")),
            lines("bare-lf-dot", "a second message behind <LF>.<LF>", with("\n.\n")),
            lines("bare-cr", "a second message behind <CR>.<CRLF>", with("\r.\r\n")),
            self.attack(
                "command-injection",
                "a second command behind a bare LF in RCPT".to_owned(),
                injected,
                REVERSE_PATH,
            ),
            greeting,
        ]
    }
}

/// A domain that reads like ours and is not: one Latin letter is Cyrillic, or one is doubled where there is no such.
fn look_alike(ours: &Domain) -> String {
    const ALIKE: [(char, char); 5] = [('o', 'о'), ('e', 'е'), ('a', 'а'), ('c', 'с'), ('p', 'р')];
    let name = ours.as_str();
    for (latin, cyrillic) in ALIKE {
        if let Some((before, after)) = name.split_once(latin)
            && let Ok(domain) = Domain::parse(&format!("{before}{cyrillic}{after}"))
        {
            return domain.as_str().to_owned();
        }
    }
    format!("{}{name}", &name[..1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_other_domains() {
        let ours = Domain::parse("contoso.example").expect("a domain");
        let alike = look_alike(&ours);
        assert!(alike.starts_with("xn--") && alike.ends_with(".example"), "{alike}");
        let ours = Domain::parse("xyz.bb").expect("a domain");
        assert_eq!(look_alike(&ours), "xxyz.bb");
    }
}
