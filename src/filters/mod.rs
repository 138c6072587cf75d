//! Content filters of the settings: milters, and rspamd over HTTP.
//!
//! In: a message. Out: what the filters say of it, one after the other in the order of the settings; the first that
//! does not let it go on decides. Never: a wait beyond a filter's time limit; a filter's trouble taken for its word.

pub mod codec;
mod milter;
mod rspamd;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::categorizer::filtering::{ContentFilter, FilterQuestion, FilterVerdict, Filtered};
use crate::mail::Reply;
use crate::spool::content::Content;

/// Which protocol a filter speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FilterKind {
    /// Sendmail's milter protocol, version 6.
    Milter,
    /// rspamd's `POST /checkv2`.
    Rspamd,
}

/// Where a filter is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FilterAddress {
    /// Host and port.
    Tcp(String),
    /// A socket of this machine.
    Unix(std::path::PathBuf),
}

/// What becomes of mail if a filter gives no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFailure {
    /// It goes on.
    Accept,
    /// The client tries again later.
    Defer,
    /// It is held for those who decide about quarantined mail.
    Quarantine,
}

/// One filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterSettings {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub kind: FilterKind,
    /// Where it is.
    pub address: FilterAddress,
    /// Listeners whose mail it is asked about; empty: all.
    pub listeners: Vec<String>,
    /// Time for one message.
    pub time_limit: Duration,
    /// Octets; it is not asked about larger messages.
    pub size_max: u64,
    /// What follows without an answer.
    pub on_failure: OnFailure,
}

/// Why a filter gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum FilterFault {
    /// It cannot be reached, or went away.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It does not speak the protocol.
    #[error("{0}")]
    Protocol(String),
    /// It took too long.
    #[error("no answer in time")]
    TimeOut,
}

/// The filters.
pub struct Filters {
    filters: Vec<FilterSettings>,
    host: Arc<str>,
    http: reqwest::Client,
}

impl Filters {
    /// Filters as the settings name them; `host` is our name to them.
    #[must_use]
    pub fn new(filters: Vec<FilterSettings>, host: &str) -> Self {
        Self {
            filters,
            host: host.into(),
            http: reqwest::Client::builder().no_proxy().build().unwrap_or_default(),
        }
    }
}

impl FilterSettings {
    fn asks(&self, listener: &str) -> bool {
        self.listeners.is_empty() || self.listeners.iter().any(|known| known == listener)
    }

    async fn ask(&self, question: &FilterQuestion, host: &str, http: &reqwest::Client) -> Filtered {
        let asked = async {
            match self.kind {
                FilterKind::Milter => milter::ask(&self.address, question, host).await,
                FilterKind::Rspamd => rspamd::ask(&self.address, question, http).await,
            }
        };
        let answer = tokio::time::timeout(self.time_limit, asked).await;
        let mut said = match answer.unwrap_or(Err(FilterFault::TimeOut)) {
            Ok(said) => said,
            Err(fault) => {
                tracing::warn!(filter = self.name, %fault, message = %question.id, "a content filter gave no answer");
                Filtered {
                    verdict: match self.on_failure {
                        OnFailure::Accept => FilterVerdict::Accept,
                        OnFailure::Quarantine => FilterVerdict::Quarantine,
                        OnFailure::Defer => FilterVerdict::Defer(Reply::new(
                            451,
                            (4, 7, 1),
                            "The message cannot be checked now; try again later",
                        )),
                    },
                    ..Filtered::default()
                }
            }
        };
        said.by = Some(match said.by {
            Some(why) => format!("{}: {why}", self.name),
            None => self.name.clone(),
        });
        said
    }
}

impl ContentFilter for Filters {
    fn asks(&self, listener: &str) -> bool {
        self.filters.iter().any(|filter| filter.asks(listener))
    }

    fn filter(&self, question: FilterQuestion) -> Pin<Box<dyn Future<Output = Filtered> + Send>> {
        let (filters, host, http) = (self.filters.clone(), Arc::clone(&self.host), self.http.clone());
        Box::pin(async move {
            let mut all = Filtered::default();
            let meant = filters
                .iter()
                .filter(|filter| filter.asks(&question.listener) && question.content.len() <= filter.size_max);
            for filter in meant {
                let said = filter.ask(&question, &host, &http).await;
                all.fields.extend(said.fields);
                match said.verdict {
                    FilterVerdict::Accept => {}
                    // What comes after it may still refuse the message.
                    FilterVerdict::Quarantine => (all.verdict, all.by) = (said.verdict, said.by),
                    FilterVerdict::Reject(_) | FilterVerdict::Defer(_) | FilterVerdict::Discard => {
                        return Filtered {
                            verdict: said.verdict,
                            by: said.by,
                            fields: Vec::new(),
                        };
                    }
                }
            }
            all
        })
    }
}

/// The whole message, read where it may block.
async fn whole(content: &Content) -> Result<Vec<u8>, FilterFault> {
    let content = content.clone();
    let read = tokio::task::spawn_blocking(move || {
        let length = usize::try_from(content.len()).unwrap_or(usize::MAX);
        let mut octets = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match content.read_at(filled as u64, &mut octets[filled..])? {
                0 => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
                count => filled += count,
            }
        }
        Ok(octets)
    });
    let octets = read.await.map_err(|fault| FilterFault::Protocol(fault.to_string()))?;
    Ok(octets?)
}

/// A field as it may be written: one line each, nothing that could end the header section. None if it cannot be.
fn field(name: &str, value: &str) -> Option<(String, String)> {
    let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':');
    let mut lines = Vec::new();
    for line in value.replace("\r\n", "\n").split('\n') {
        let line = line.trim_end();
        if line.contains(['\r', '\0']) {
            return None;
        }
        if !line.trim().is_empty() {
            lines.push(line.to_owned());
        }
    }
    let folded: Vec<String> = lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| match index {
            0 => line.trim_start().to_owned(),
            _ if line.starts_with([' ', '\t']) => line,
            _ => format!("\t{line}"),
        })
        .collect();
    is_name.then(|| (name.to_owned(), folded.join("\r\n")))
}

#[cfg(test)]
mod tests;
