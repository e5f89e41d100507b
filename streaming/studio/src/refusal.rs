//! Whether a target that ends the connection has said no: then it is there, and its address or key is wrong. Each protocol has its own
//! way to say it, and some servers of RTMP have none but to hang up.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gstreamer::{self as gst, glib};

use crate::tunnel::Heard;

/// By this name libsrt says to GStreamer what it is doing. The sink itself tells only that there is no connection.
const SRT: &str = "srtlib";

/// What libsrt says of a connection that was answered with a rejection, whichever (its `srt_getrejectreason`).
const REJECTED: &str = "REJECT reported";

/// What is known of one target's answer.
#[derive(Clone, Default)]
pub(crate) struct Refusal {
    /// It takes what it is sent: what comes after that is no refusal.
    is_live: Arc<AtomicBool>,
    is_rejected: Arc<AtomicBool>,
    pub(crate) heard: Arc<Heard>,
}

impl Refusal {
    pub(crate) fn live(&self) {
        self.is_live.store(true, Ordering::Release);
    }

    /// Listens to what libsrt says from now on.
    pub(crate) fn listen_to_srt(&self) {
        if std::env::var_os("GST_DEBUG").is_none() {
            // It would print what is meant for us.
            gst::log::remove_default_log_function();
        }
        gst::log::set_active(true);
        gst::log::set_threshold_for_name(SRT, gst::DebugLevel::Info);
        let is_rejected = Arc::clone(&self.is_rejected);
        gst::log::add_log_function(move |category, _, _, _, _, _, message| {
            if category.name() == SRT && message.get().is_some_and(|words| words.contains(REJECTED)) {
                is_rejected.store(true, Ordering::Release);
            }
        });
    }

    /// Whether an error of the sink's is the target's no: NetStream.Publish.BadName, NetConnection.Connect.Rejected, a rejection (SRT), or
    /// nothing but the end.
    pub(crate) fn is_meant(&self, error: &glib::Error) -> bool {
        let is_said = error.matches(gst::ResourceError::NotAuthorized);
        let is_shown = self.heard.has_hung_up() || self.is_rejected.load(Ordering::Acquire);
        is_said || is_shown && !self.is_live.load(Ordering::Acquire)
    }
}
