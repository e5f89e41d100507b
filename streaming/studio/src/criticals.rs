//! What GStreamer and its kin say of mistakes: of a caller's, which they survive, and of those they don't. They write it to where nobody looks;
//! it belongs into the log, and is counted.

use std::sync::atomic::{AtomicU64, Ordering};

use gstreamer::glib::{self, LogLevel};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// From now on, for the whole process.
pub(crate) fn watch() {
    glib::log_set_default_handler(|domain, level, message| match level {
        LogLevel::Error | LogLevel::Critical => {
            COUNT.fetch_add(1, Ordering::Relaxed);
            tracing::error!(domain, message, "a library has made a mistake");
        }
        LogLevel::Warning => tracing::warn!(domain, message, "a library warns"),
        LogLevel::Message | LogLevel::Info | LogLevel::Debug => tracing::debug!(domain, message, "a library says"),
    });
}

/// How many there were.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}
