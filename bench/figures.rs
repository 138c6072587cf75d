//! Figures: what a measurement is made of: allocations, resident memory, percentiles, lines of JSON.

// Every example compiles this module for itself and uses its own part of it.
#![allow(dead_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts octets asked for, on all threads. What `SQLite` asks its own allocator for is not seen.
pub struct Counting;

static ALLOCATED: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; only a number is added up beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { mimalloc::MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; the pointer came from `System`.
        unsafe { mimalloc::MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { mimalloc::MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.fetch_add(size.saturating_sub(layout.size()) as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`; the pointer came from `System`.
        unsafe { mimalloc::MiMalloc.realloc(pointer, layout, size) }
    }
}

/// Octets asked for since the process began.
pub fn allocated() -> u64 {
    ALLOCATED.load(Ordering::Relaxed)
}

/// What a call returns and how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let answer = work();
    (answer, begun.elapsed())
}

/// Milliseconds with their fraction.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The value below which `percent` of a sample lie (nearest rank). The sample is sorted on the way.
pub fn percentile(sample: &mut [f64], percent: usize) -> f64 {
    sample.sort_by(f64::total_cmp);
    let rank = (sample.len() * percent).div_ceil(100).max(1) - 1;
    sample.get(rank).copied().unwrap_or(f64::NAN)
}

/// A line of `/proc/self/status` in octets: `VmRSS`, `VmHWM`.
pub fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status
        .lines()
        .find_map(|each| each.strip_prefix(line)?.strip_prefix(':'));
    let kilobytes = found.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1_024
}
