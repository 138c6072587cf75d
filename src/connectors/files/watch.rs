//! Watching a folder: a tick for every change that has come to rest.
//!
//! In: a folder. Out: ticks on a channel; several changes are one tick. Never: reads a file, or relies on the
//! system's notices alone: network file systems send none, so names and times are looked at now and then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::load::{Stamp, stamps};

/// A change counts once nothing further has happened for this long: editors and copies write in steps.
const QUIET: Duration = Duration::from_millis(200);

/// A folder that never comes to rest is reported all the same.
const UNREST_MAX: Duration = Duration::from_secs(5);

/// Something in the folder changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed;

/// A watch; it ends when dropped.
#[derive(Debug)]
pub struct Watch {
    ticks: mpsc::Receiver<Changed>,
    task: JoinHandle<()>,
    mode: WatchMode,
}

/// How changes are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchMode {
    /// By the system's notices, and by looking.
    Notices,
    /// By looking only; the system said why.
    LookingOnly(String),
}

impl Watch {
    /// Starts to watch. Changes after this call are not missed. Call it within a tokio runtime.
    #[must_use]
    pub fn start(folder: &Path, poll_interval: Duration) -> Self {
        let (tell, ticks) = mpsc::channel(1);
        let (notice, notices) = mpsc::channel(1);
        let (watcher, mode) = match watcher(folder, notice) {
            Ok(watcher) => (Some(watcher), WatchMode::Notices),
            Err(fault) => (None, WatchMode::LookingOnly(fault.to_string())),
        };
        let seen = look_now(folder);
        let task = tokio::spawn(run(Looker {
            folder: folder.to_owned(),
            poll_interval,
            seen,
            watcher,
            notices,
            tell,
        }));
        Self { ticks, task, mode }
    }

    /// Waits for the next change.
    pub async fn changed(&mut self) -> Option<Changed> {
        self.ticks.recv().await
    }

    /// How changes are noticed.
    #[must_use]
    pub fn mode(&self) -> &WatchMode {
        &self.mode
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn watcher(folder: &Path, notice: mpsc::Sender<()>) -> notify::Result<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is an event too; only what changes something counts. A full channel knows already.
        if event.is_err() || event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = notice.try_send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

struct Looker {
    folder: PathBuf,
    poll_interval: Duration,
    seen: Seen,
    /// Kept for its notices.
    watcher: Option<notify::RecommendedWatcher>,
    notices: mpsc::Receiver<()>,
    tell: mpsc::Sender<Changed>,
}

/// What the folder looked like: which folder it is, and its files. Nothing if it could not be read.
type Seen = Option<((u64, u64), Vec<Stamp>)>;

fn look_now(folder: &Path) -> Seen {
    use std::os::unix::fs::MetadataExt as _;
    let facts = std::fs::metadata(folder).ok()?;
    let (files, _) = stamps(folder).ok()?;
    Some(((facts.dev(), facts.ino()), files))
}

async fn run(mut looker: Looker) {
    loop {
        // With no watcher the sender is gone and `recv` would return at once, for ever.
        let noticed = async {
            match &looker.watcher {
                Some(_) => looker.notices.recv().await,
                None => std::future::pending().await,
            }
        };
        let noticed = tokio::time::timeout(looker.poll_interval, noticed).await.is_ok();
        if noticed {
            rest(&mut looker.notices).await;
        }
        let folder = looker.folder.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || look_now(&folder)).await else {
            return;
        };
        if now == looker.seen {
            continue;
        }
        let replaced = now.as_ref().map(|(id, _)| id) != looker.seen.as_ref().map(|(id, _)| id);
        if replaced {
            // Notices belong to the old folder: watch the one that has its name now.
            let (notice, notices) = mpsc::channel(1);
            looker.watcher = watcher(&looker.folder, notice).ok();
            looker.notices = notices;
        }
        looker.seen = now;
        match looker.tell.try_send(Changed) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(Changed)) => {}
            Err(mpsc::error::TrySendError::Closed(Changed)) => return,
        }
    }
}

/// Waits until no notice comes for a while.
async fn rest(notices: &mut mpsc::Receiver<()>) {
    let quiet = async { while let Ok(Some(())) = tokio::time::timeout(QUIET, notices.recv()).await {} };
    let _ = tokio::time::timeout(UNREST_MAX, quiet).await;
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    /// Runs to the end, or fails when it takes too long.
    fn within_reason<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(30), future)
                .await
                .expect("a change is noticed in time")
        })
    }

    #[test]
    fn a_watch_tells_of_changes() {
        let folder = folder();
        fs::write(folder.path().join("a.toml"), "id = 1").expect("writable");
        within_reason(async {
            let mut watch = Watch::start(folder.path(), Duration::from_secs(3600));
            assert_eq!(*watch.mode(), WatchMode::Notices);
            // As it should be done: another name, then a rename.
            let path = folder.path().join("b.toml");
            fs::write(folder.path().join(".b.toml.new"), "id = 2").expect("writable");
            fs::rename(folder.path().join(".b.toml.new"), &path).expect("renamed");
            assert_eq!(watch.changed().await, Some(Changed));
            fs::remove_file(&path).expect("removed");
            assert_eq!(watch.changed().await, Some(Changed));
            fs::write(folder.path().join("a.toml"), "id = 3").expect("writable");
            assert_eq!(watch.changed().await, Some(Changed));
        });
    }

    #[test]
    fn a_watch_looks_where_no_notice_comes() {
        let parent = folder();
        let path = parent.path().join("later");
        within_reason(async {
            // The folder is not there yet, so nothing can be watched.
            let mut watch = Watch::start(&path, Duration::from_millis(20));
            assert!(matches!(watch.mode(), WatchMode::LookingOnly(_)));
            fs::create_dir(&path).expect("created");
            assert_eq!(watch.changed().await, Some(Changed));
            fs::write(path.join("a.toml"), "id = 1").expect("writable");
            assert_eq!(watch.changed().await, Some(Changed));
        });
    }

    #[test]
    fn a_watch_follows_a_folder_that_is_replaced() {
        let parent = folder();
        let (old, new, link) = (
            parent.path().join("1"),
            parent.path().join("2"),
            parent.path().join("now"),
        );
        for each in [&old, &new] {
            fs::create_dir(each).expect("created");
            fs::write(each.join("a.toml"), "id = 1").expect("writable");
        }
        std::os::unix::fs::symlink(&old, &link).expect("a link");
        within_reason(async {
            let mut watch = Watch::start(&link, Duration::from_millis(20));
            std::os::unix::fs::symlink(&new, parent.path().join("next")).expect("a link");
            fs::rename(parent.path().join("next"), &link).expect("exchanged");
            assert_eq!(watch.changed().await, Some(Changed));
            fs::write(new.join("b.toml"), "id = 2").expect("writable");
            assert_eq!(watch.changed().await, Some(Changed));
        });
    }
}
