//! Faults sent from outside.
//!
//! Rust's runtime catches SIGSEGV and SIGBUS to tell a stack overflow from other faults. For these it puts the default
//! action back and returns: the faulting instruction runs again, and ends the process. A signal that somebody *sent* has
//! no instruction to run again, so the first one would do nothing at all. Who sends it means the process to die, be it
//! an operator or a test of what happens then; so it does.

use std::fs;

/// SIGSEGV and SIGBUS in the masks of /proc (bit n - 1 stands for signal n).
const FAULTS: u64 = 1 << 10 | 1 << 6;

/// Knows which faults the runtime caught at the start.
pub(crate) struct Faults {
    caught: u64,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self { caught: caught() }
    }

    /// One was sent, and the runtime let it pass.
    pub(crate) fn was_sent(&self) -> bool {
        caught() & self.caught != self.caught
    }
}

/// The faults that have a handler; none where there is no /proc to ask.
fn caught() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0) & FAULTS
}
