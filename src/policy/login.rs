//! Which addresses an account may send as: those it was given by name, those of its own recipient object, and those
//! whose objects let it send as them or on their behalf (RFC 6409 §6.1; Exchange: `SendAs`, `GrantSendOnBehalfTo`).

use super::author::{Leave, may_write_as};
use super::membership::Identity;
use crate::mail::{Mailbox, ReversePath};
use crate::resolver::{Login, Sender};
use crate::rolls::View;

/// True if an account may use a reverse-path.
#[must_use]
pub fn may_use(login: &Login, mailbox: &Mailbox, view: &View) -> bool {
    if login.was_given(mailbox) {
        return true;
    }
    let Some(own) = login.mailbox() else { return false };
    let account = Sender::logged_in(&ReversePath::Mailbox(own), login);
    may_write_as(mailbox, &Identity::of(&account, view), view) == Leave::Given
}
