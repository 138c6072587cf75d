//! The log: text for people or JSON for collectors, on standard error.

use std::cell::RefCell;
use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

/// How a line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people: time, level, words, `key=value`.
    #[default]
    Text,
    /// For collectors: one JSON object per line, fields at its top.
    Json,
}

/// Why the log cannot be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// The level is none of `error`, `warn`, `info`, `debug`, `trace`, nor a list such as
    /// `info,muster::delivery=debug`.
    #[error("`{level}` is not a log level such as info or info,muster::delivery=debug: {fault}")]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A log was set up before in this process.
    #[error("the log is already set up")]
    Already,
}

/// Changes the level of a running log (`muster reload`).
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Takes another level; the old one stays if it makes no sense.
    pub fn set_level(&self, level: &str) -> Result<(), LogFault> {
        let filter = filter(level)?;
        self.0.reload(filter).map_err(|fault| LogFault::Level {
            level: level.to_owned(),
            fault: fault.to_string(),
        })
    }
}

/// Sets the process's log up, on standard error.
pub fn start(format: LogFormat, level: &str) -> Result<LogHandle, LogFault> {
    let (subscriber, handle) = subscriber(format, level, Lines)?;
    subscriber.try_init().map_err(|_| LogFault::Already)?;
    Ok(handle)
}

thread_local! {
    /// Lines that this thread writes later, if it gathers them.
    static GATHERED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Octets of gathered lines that are written before there are more.
const GATHERED_OCTETS_MAX: usize = 64 * 1024;

/// Runs `work`; what it logs on this thread is written by few large writes, at its end at the latest.
pub fn gathered(work: impl FnOnce()) {
    GATHERED.with(|lines| *lines.borrow_mut() = Some(Vec::new()));
    work();
    if let Some(lines) = GATHERED.with(RefCell::take) {
        // Nobody could be told that the log cannot be written.
        let _ = io::stderr().write_all(&lines);
    }
}

/// Standard error, a line at a time or gathered.
#[derive(Clone, Copy, Debug)]
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let full = GATHERED.with(|lines| {
            let mut lines = lines.borrow_mut();
            let gathered = lines.as_mut()?;
            gathered.extend_from_slice(octets);
            Some(if gathered.len() < GATHERED_OCTETS_MAX {
                Vec::new()
            } else {
                std::mem::take(gathered)
            })
        });
        match full {
            Some(full) => io::stderr().write_all(&full)?,
            None => io::stderr().write_all(octets)?,
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// A log that writes wherever it is told.
pub fn subscriber<W>(
    format: LogFormat,
    level: &str,
    writer: W,
) -> Result<(impl Subscriber + Send + Sync + use<W>, LogHandle), LogFault>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Text => Box::new(lines),
        LogFormat::Json => Box::new(
            lines
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false),
        ),
    };
    Ok((Registry::default().with(filter).with(lines), LogHandle(handle)))
}

fn filter(level: &str) -> Result<EnvFilter, LogFault> {
    EnvFilter::try_new(level).map_err(|fault| LogFault::Level {
        level: level.to_owned(),
        fault: fault.to_string(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    pub struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        /// What was logged so far.
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic while logging").clone()).expect("UTF-8")
        }
    }

    impl io::Write for Kept {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic while logging").extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn lines_are_text_or_json_and_the_level_can_change() {
        for (format, line) in [
            (
                LogFormat::Text,
                "INFO muster::observe::log::tests: hello next_hop=\"cloud\"",
            ),
            (LogFormat::Json, "\"message\":\"hello\",\"next_hop\":\"cloud\""),
        ] {
            let kept = Kept::default();
            let (subscriber, handle) = subscriber(format, "info", kept.clone()).expect("a level");
            tracing::subscriber::with_default(subscriber, || {
                tracing::info!(next_hop = "cloud", "hello");
                tracing::debug!("unheard");
                handle.set_level("debug").expect("a level");
                tracing::debug!("heard");
                assert!(handle.set_level("loud=very").is_err());
                tracing::debug!("still heard");
            });
            let text = kept.text();
            assert!(text.contains(line), "{text}");
            assert!(!text.contains("unheard") && text.contains("still heard"), "{text}");
            assert_eq!(text.lines().count(), 3, "{text}");
        }
        assert!(matches!(
            subscriber(LogFormat::Text, "a=b=c", io::sink),
            Err(LogFault::Level { .. })
        ));
    }
}
