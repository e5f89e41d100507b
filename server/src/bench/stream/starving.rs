//! A livestream on a machine that has no time for it: how late it gets meanwhile, and how soon it is as before.

use std::{
    process::{Child, Command},
    thread,
    time::Duration,
};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Site, camera, of, player};

/// Processes for each core that do nothing as fast as they can.
const BUSY_PER_CORE: usize = 4;

/// How long it is looked at after the burden's end.
const AFTER: Duration = Duration::from_secs(10);

/// A part that is fetchable so late in milliseconds lets a viewer be 2.5 s behind: he stays 600 ms behind the newest part, has a
/// part's 200 ms to wait for its end, and half a second on the way to his screen.
const LATE_MS: f64 = 1_200.0;

/// Busy processes, gone when dropped.
struct Burden(Vec<Child>);

impl Burden {
    fn start() -> anyhow::Result<Self> {
        let cores = thread::available_parallelism()?.get();
        let mut burden = Self(Vec::new());
        for _ in 0..cores * BUSY_PER_CORE {
            let busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn();
            burden.0.push(busy.context("a busy process doesn't start")?);
        }
        Ok(burden)
    }
}

impl Drop for Burden {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Follows the picture while the machine is busy for so many seconds, and after.
pub(super) fn measure(site: &Site, seconds: u64) -> anyhow::Result<Value> {
    let (host, path) = (site.web.http_addr(), site.folder());
    let begins = Instant::now();
    let ends = begins + Duration::from_secs(seconds);
    let playing = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(player::follow(host, &path, "video", ends + AFTER))
    };
    let player = thread::Builder::new().name(format!("{}player", camera::THREADS)).spawn(playing)?;
    let burden = Burden::start()?;
    tokio::task::block_in_place(|| thread::park_timeout(ends.saturating_duration_since(Instant::now())));
    drop(burden);
    let ended = Instant::now();
    let parts = player.join().map_err(|_| anyhow::anyhow!("the player panicked"))??;
    let meanwhile: Vec<f64> = parts.iter().filter(|(at, _)| *at < ended).map(|(_, late)| *late).collect();
    let last_late = parts.iter().rev().find(|(_, late)| *late > LATE_MS).map(|(at, _)| *at);
    // A part that never came is late too.
    let came: Vec<Instant> = parts.iter().map(|(at, _)| *at).collect();
    let gap = came.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    Ok(json!({
        "starved_seconds": seconds,
        "starved_processes": thread::available_parallelism()?.get() * BUSY_PER_CORE,
        "starved_part_ms_p50": of(&meanwhile, 0.50),
        "starved_part_ms_p95": of(&meanwhile, 0.95),
        "starved_part_ms_max": of(&meanwhile, 1.00),
        "starved_part_gap_ms_max": gap.as_secs_f64() * 1e3,
        "starved_back_after_ms": last_late.map_or(0.0, |at| at.saturating_duration_since(ended).as_secs_f64() * 1e3),
    }))
}
