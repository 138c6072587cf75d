//! A delivery status (RFC 3464 §2): fields about the message, then a block for each recipient.

use super::{Bounce, Failure, add, failure_reply};
use crate::mail::{EnhancedStatus, Mailbox};

/// Fields of one block, by lower-case name.
#[derive(Default)]
struct Block {
    fields: Vec<(String, String)>,
}

impl Block {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The address after its type: `rfc822; lena@contoso.example`, also in brackets.
    fn address(&self, name: &str) -> Option<Mailbox> {
        let value = self.field(name)?;
        let (kind, address) = value.split_once(';').unwrap_or(("rfc822", value));
        let known = ["rfc822", "utf-8", "system"]
            .iter()
            .any(|known| kind.trim().eq_ignore_ascii_case(known));
        let address = address.trim().trim_start_matches('<').trim_end_matches('>');
        Mailbox::parse(address).ok().filter(|_| known)
    }

    fn failure(&self) -> Failure {
        let status = self.field("status").and_then(|status| {
            let word = status.split([' ', '(']).next()?;
            word.parse::<EnhancedStatus>().ok()
        });
        let diagnostic = self.field("diagnostic-code").unwrap_or_default();
        let said = diagnostic.split_once(';').map_or(diagnostic, |(_, said)| said);
        let remote = self.field("remote-mta").map(|remote| {
            let name = remote.split_once(';').map_or(remote, |(_, name)| name).trim();
            name.split([' ', '(']).next().unwrap_or_default().to_owned()
        });
        Failure {
            address: self
                .address("final-recipient")
                .or_else(|| self.address("original-recipient")),
            reply: failure_reply(status, said.trim()),
            remote: remote.filter(|remote| !remote.is_empty()),
        }
    }
}

pub(super) fn read(text: &str) -> Bounce {
    let (mut failed, mut delayed, mut delivered) = (Vec::new(), false, false);
    for block in blocks(text) {
        let Some(action) = block.field("action") else { continue };
        let action = action.split([' ', '(']).next().unwrap_or_default().to_ascii_lowercase();
        match action.as_str() {
            "failed" => {
                let failure = block.failure();
                // The address that the sender used is a second way to know whom it is about.
                let original = block
                    .address("original-recipient")
                    .filter(|_| failure.address.is_none());
                add(
                    &mut failed,
                    Failure {
                        address: failure.address.clone().or(original),
                        ..failure
                    },
                );
            }
            "delayed" => delayed = true,
            "delivered" | "relayed" | "expanded" => delivered = true,
            _ => {}
        }
    }
    match (failed.is_empty(), delayed, delivered) {
        (false, ..) => Bounce::Failed(failed),
        (true, true, _) => Bounce::Delayed,
        (true, false, true) => Bounce::Delivered,
        (true, false, false) => Bounce::Other,
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block::default()];
    for line in text.lines() {
        let last = blocks.last_mut().expect("there is always one");
        if line.trim().is_empty() {
            if !last.fields.is_empty() {
                blocks.push(Block::default());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = last.fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last.fields
                .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    blocks
}
