//! Disk: what the machine's own storage can do, to read every other figure against.
//!
//! Out: appends of 4 KiB each synced, from one thread and from 16 to files of their own; and new files of
//! 4 KiB synced with their folder. Never: leaves a file behind.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;

const BLOCK: [u8; 4096] = [b'x'; 4096];

#[derive(Parser)]
#[command(about = "Measures the sync rate of a folder's file system")]
struct Options {
    folder: PathBuf,
    /// Seconds for each of the three figures.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let window = Duration::from_secs_f64(options.seconds);
    let folder = options.folder.join(format!("disk-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let figures = measure(&folder, window);
    fs::remove_dir_all(&folder)?;
    let (alone, together, created) = figures?;
    println!(
        "{}",
        json!({
            "appends_synced_per_second": alone.round(),
            "appends_synced_per_second_16_threads": together.round(),
            "files_created_synced_per_second": created.round(),
        })
    );
    Ok(())
}

fn measure(folder: &Path, window: Duration) -> io::Result<(f64, f64, f64)> {
    let alone = appends(&folder.join("alone"), window)?;
    let threads: Vec<_> = (0..16)
        .map(|number| {
            let path = folder.join(format!("thread-{number}"));
            thread::spawn(move || appends(&path, window))
        })
        .collect();
    let mut together = 0.0;
    for handle in threads {
        together += handle.join().map_err(|_| io::Error::other("a thread panicked"))??;
    }
    Ok((alone, together, creations(folder, window)?))
}

fn appends(path: &Path, window: Duration) -> io::Result<f64> {
    let mut file = File::create(path)?;
    rate(window, |_| {
        file.write_all(&BLOCK)?;
        file.sync_data()
    })
}

fn creations(folder: &Path, window: Duration) -> io::Result<f64> {
    let parent = File::open(folder)?;
    rate(window, |number| {
        let mut file = File::create(folder.join(format!("new-{number}")))?;
        file.write_all(&BLOCK)?;
        file.sync_all()?;
        parent.sync_all()
    })
}

fn rate(window: Duration, mut step: impl FnMut(u32) -> io::Result<()>) -> io::Result<f64> {
    let started = Instant::now();
    let mut count = 0u32;
    while started.elapsed() < window {
        step(count)?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}
