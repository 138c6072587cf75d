//! `muster password`: the line of an account.

use clap::Args;

pub(super) const PASSWORD_EXAMPLES: &str = "\
Reads the password from the terminal, or the first line of standard input, and prints a line for `accounts.password_file`:
what passwords and SCRAM exchanges are checked against, and nothing that anybody could log in with.

Examples:
  muster password lena@contoso.example >> /etc/muster/accounts
  muster password newsletter --send-as news@contoso.example --send-as '*@lists.contoso.example'";

/// Arguments of `muster password`.
#[derive(Args, Debug)]
pub(in crate::admin::cli) struct PasswordArguments {
    /// Name of the account: mostly an address.
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// Addresses it may send as besides its own: `ADDRESS`, `*@DOMAIN`, or `*` for all there are.
    #[arg(long, value_name = "ADDRESS")]
    send_as: Vec<String>,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasswordRequest {
    /// Name of the account.
    pub account: String,
    /// Patterns of addresses, not yet read.
    pub send_as: Vec<String>,
}

impl PasswordArguments {
    pub(super) fn request(self) -> PasswordRequest {
        PasswordRequest {
            account: self.account,
            send_as: self.send_as,
        }
    }
}
