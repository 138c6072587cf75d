//! A next hop that is a directory: each copy as a file with its envelope beside it.
//!
//! `NAME.eml` is the message as it would go over the wire, without dot-stuffing; `NAME.json` is its envelope. Both are
//! written under a name of their own, synced, renamed, and the directory is synced: who sees the `.eml` has the
//! whole of both. The name is that of the batch, so that a copy written twice after a crash is one copy.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::account::Done;
use super::dispatcher::Next;
use super::plan::{Readdressed, forward_path};
use super::shelf::Loaded;
use super::verdict::{Verdict, Verdicts};
use super::work::Place;
use crate::mail::{BodyType, MessageId, Notify, OriginalRecipient, Reply, ReturnContent, ReversePath, SetId};
use crate::queue::{LastAnswer, ranks};
use crate::routing::NextHop;
use crate::track::Reason;

/// The envelope of a copy, as in its `.json`.
#[derive(Serialize)]
struct EnvelopeFile<'a> {
    message: MessageId,
    set: SetId,
    next_hop: &'a str,
    written_at: Timestamp,
    reverse_path: &'a str,
    recipients: Vec<RecipientFile<'a>>,
    body: BodyType,
    smtputf8: bool,
    ret: Option<ReturnContent>,
    envid: Option<&'a str>,
    size_bytes: u64,
}

#[derive(Serialize)]
struct RecipientFile<'a> {
    forward_path: &'a str,
    notify: Option<Notify>,
    original: Option<&'a OriginalRecipient>,
}

/// Writes copies while there are any, then ends: a directory needs no session that waits.
pub async fn run(place: &Place, hop: &NextHop, directory: &Path) {
    let shared = &place.shared;
    loop {
        let Next::Work(batch, loaded) = shared.next(place.id, &place.bell) else {
            return;
        };
        let Some((held, loaded, readdressed)) = place.prepare(batch, loaded).await else {
            continue;
        };
        let signed = shared.signer.prefix(&loaded, &hop.signing, shared.now()).await;
        let batch = held.release();
        let Ok(prefix) = signed else {
            let verdict = Verdict::Deferred(Reason::SigningFailed, None);
            let done = Done {
                verdicts: Verdicts::all(batch.ranks.clone(), verdict),
                batch,
                loaded: Some(loaded),
                remote: None,
                protection: None,
                notify_passed: true,
                readdressed,
                reports_come_back: false,
            };
            if let Err(fault) = shared.settle(done).await {
                shared.unsettled(&fault);
            }
            return;
        };
        let job = Job {
            prefix,
            directory: directory.to_owned(),
            next_hop: hop.name.clone(),
            reverse_path: loaded.reverse_path(&hop.return_path, &batch.ranks, shared.now()),
            loaded: Arc::clone(&loaded),
            ranks: batch.ranks.clone(),
            readdressed,
            at: shared.now(),
        };
        let written = tokio::task::spawn_blocking(move || (job.write(), job.readdressed)).await;
        let (written, readdressed) = match written {
            Ok((written, readdressed)) => (written, readdressed),
            Err(_) => (Err(io::Error::other("writing broke down")), Readdressed::new()),
        };
        let (verdict, failed) = match written {
            Ok(name) => (
                Verdict::Relayed(Reply::new(250, (2, 0, 0), format!("written as {name}"))),
                None,
            ),
            Err(error) => {
                let why = format!("the drop directory failed: {error}");
                let reply = Some(Reply::new(451, (4, 3, 0), why));
                let reason = Reason::NextHopUnreachable;
                (
                    Verdict::Deferred(reason, reply.clone()),
                    Some(LastAnswer { reason, reply }),
                )
            }
        };
        let commit = shared.settle(Done {
            verdicts: Verdicts::all(batch.ranks.clone(), verdict),
            batch,
            loaded: Some(loaded),
            remote: Some(directory.display().to_string()),
            protection: None,
            // The requests are in the `.json`.
            notify_passed: true,
            readdressed,
            reports_come_back: false,
        });
        if let Err(fault) = commit.await {
            shared.unsettled(&fault);
            return;
        }
        if let Some(answer) = failed {
            shared.unreachable_beside(place.id, 0, answer);
            return;
        }
    }
}

struct Job {
    prefix: Bytes,
    directory: std::path::PathBuf,
    next_hop: String,
    reverse_path: ReversePath,
    loaded: Arc<Loaded>,
    ranks: ranks::Ranges,
    readdressed: Readdressed,
    at: Timestamp,
}

impl Job {
    /// Writes both files; returns the name of the `.eml`.
    fn write(&self) -> io::Result<String> {
        let set = &self.loaded.set;
        let (first, last) = (self.ranks[0].0, self.ranks[self.ranks.len() - 1].1);
        let name = format!("{}.{}.{first}-{last}", set.message, set.id);
        fs::create_dir_all(&self.directory)?;
        let envelope = serde_json::to_vec_pretty(&self.envelope()).map_err(io::Error::other)?;
        self.place(&format!("{name}.json"), |file| file.write_all(&envelope))?;
        let name = format!("{name}.eml");
        self.place(&name, |file| self.write_content(file))?;
        File::open(&self.directory)?.sync_all()?;
        Ok(name)
    }

    fn place(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let temporary = self.directory.join(format!(".{name}.tmp"));
        let mut file = File::create(&temporary)?;
        write(&mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, self.directory.join(name))
    }

    fn write_content(&self, file: &mut File) -> io::Result<()> {
        file.write_all(&self.prefix)?;
        let mut buffer = vec![0; 64 * 1024];
        let mut offset = 0;
        loop {
            let count = self.loaded.content.read_at(offset, &mut buffer)?;
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count])?;
            offset += count as u64;
        }
        if offset == self.loaded.content.len() {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::UnexpectedEof))
        }
    }

    fn envelope(&self) -> EnvelopeFile<'_> {
        let set = &self.loaded.set;
        let recipient = |rank: u32| {
            let origin = set.roster.origins.get(set.roster.origin_of(rank) as usize);
            RecipientFile {
                forward_path: forward_path(&self.loaded, &self.readdressed, rank),
                notify: origin.and_then(|origin| origin.notify),
                original: origin.and_then(|origin| origin.original.as_ref()),
            }
        };
        EnvelopeFile {
            message: set.message,
            set: set.id,
            next_hop: &self.next_hop,
            written_at: self.at,
            reverse_path: self.reverse_path.as_str(),
            recipients: ranks::each(&self.ranks).map(recipient).collect(),
            body: set.body,
            smtputf8: set.smtputf8,
            ret: set.ret,
            envid: set.envid.as_deref(),
            size_bytes: self.prefix.len() as u64 + self.loaded.content.len(),
        }
    }
}
