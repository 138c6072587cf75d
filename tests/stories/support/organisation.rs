//! Directory files as a story tells them. Every address without a domain is in `contoso.example`.

use std::fmt::Write as _;
use std::path::Path;

/// The files of one organisation.
#[derive(Clone, Default)]
pub struct Organisation {
    people: String,
    groups: String,
}

impl Organisation {
    /// Nobody but the postmaster.
    pub fn new() -> Self {
        let mut organisation = Self::default();
        organisation.on_premises("postmaster-desk");
        organisation
    }

    /// A mailbox in the cloud: mail goes to its routing address by next hop `cloud`.
    pub fn cloud(&mut self, name: &str) -> &mut Self {
        let routing = format!(
            "external_email_address = \"{}@contoso.mail.onmicrosoft.example\"",
            local(name)
        );
        self.recipient(name, "RemoteUserMailbox", &routing)
    }

    /// A mailbox on premises: next hop `onprem`.
    pub fn on_premises(&mut self, name: &str) -> &mut Self {
        self.recipient(name, "UserMailbox", "")
    }

    /// A mail contact with a target outside.
    pub fn contact(&mut self, name: &str, target: &str) -> &mut Self {
        self.recipient(name, "MailContact", &format!("external_email_address = \"{target}\""))
    }

    /// Any recipient, with more keys as TOML lines.
    pub fn recipient(&mut self, name: &str, kind: &str, more: &str) -> &mut Self {
        table(&mut self.people, "recipients", name, kind, more);
        self
    }

    /// A static distribution group, with more keys as TOML lines. Open to outside senders unless `more` says otherwise.
    pub fn group(&mut self, name: &str, members: &[&str], more: &str) -> &mut Self {
        let members: Vec<String> = members.iter().map(|member| address(member)).collect();
        let open = if more.contains("require_sender_authentication_enabled") {
            ""
        } else {
            "require_sender_authentication_enabled = false\n"
        };
        let more = format!("members = {members:?}\n{open}{more}");
        table(
            &mut self.groups,
            "groups",
            name,
            "MailUniversalDistributionGroup",
            &more,
        );
        self
    }

    /// A dynamic distribution group, open to outside senders.
    pub fn dynamic(&mut self, name: &str, filter: &str, more: &str) -> &mut Self {
        let more = format!("recipient_filter = {filter:?}\nrequire_sender_authentication_enabled = false\n{more}");
        table(&mut self.groups, "groups", name, "DynamicDistributionGroup", &more);
        self
    }

    /// A group of any kind.
    pub fn other_group(&mut self, name: &str, kind: &str, more: &str) -> &mut Self {
        table(&mut self.groups, "groups", name, kind, more);
        self
    }

    /// Writes the files.
    pub fn write(&self, directory: &Path) {
        std::fs::create_dir_all(directory).expect("a directory for the organisation");
        for (name, text) in [("people.toml", &self.people), ("groups.toml", &self.groups)] {
            let temporary = directory.join(format!(".{name}.new"));
            std::fs::write(&temporary, text).expect("a directory file");
            std::fs::rename(&temporary, directory.join(name)).expect("a directory file in place");
        }
    }
}

/// `name@contoso.example`, unless there is a domain already.
pub fn address(name: &str) -> String {
    if name.contains('@') {
        name.to_owned()
    } else {
        format!("{name}@contoso.example")
    }
}

fn local(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

fn table(file: &mut String, list: &str, name: &str, kind: &str, more: &str) {
    let address = address(name);
    let name = local(name);
    write!(
        file,
        "[[{list}]]\nid = \"{name}\"\nprimary_smtp_address = \"{address}\"\nalias = \"{name}\"\ndisplay_name = \"{name}\"\nrecipient_type_details = \"{kind}\"\n{more}\n\n"
    )
    .expect("writing to a string");
}
