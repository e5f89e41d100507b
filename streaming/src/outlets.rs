//! Where a broadcast goes: to players, into a recording, to other servers. They come and go while the studio runs.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use model::{BroadcastId, ParticipantId, PushUrl};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    BroadcastFact, Origin, StreamingConfig, StreamingError,
    broadcast::FACTS_QUEUE,
    budget::{Burden, Place},
    child::{Hangup, Studio, StudioReader},
    hls::Packager,
    life::Product,
    push::Pusher,
    recording::{Recorder, RecordingFailed},
    shelf::Shelf,
    spool::Spool,
    tracks::Voices,
    vtt::Cue,
    wire::{AccessUnit, Format, FromStudio, Report, Stage, Track},
};

/// What the broadcast's handle asks for.
pub(crate) enum Order {
    Publish(BroadcastId, Arc<Shelf>),
    Unpublish,
    Record(Recorder),
    StopRecording,
    Name(BTreeMap<ParticipantId, String>),
    Push(u32, PushUrl),
    StopPush(u32),
}

pub(crate) struct Outlets {
    config: Arc<StreamingConfig>,
    origin: Origin,
    place: Place,
    /// What the studio is told to show: here, on how large a picture.
    stage: watch::Sender<Stage>,
    burden: Burden,
    /// When the last report came.
    heard: Option<Instant>,
    /// Pictures since then.
    pictures: u32,
    published: Option<Published>,
    recorder: Option<Recorder>,
    pushers: BTreeMap<u32, Pusher>,
    /// What an outlet that opens now has missed.
    formats: Vec<(Track, Format)>,
    /// The studio's time 0.
    started: Option<SystemTime>,
    facts: mpsc::Sender<BroadcastFact>,
    orders: mpsc::Receiver<Order>,
    /// What was said, where somebody writes it down.
    cues: Option<mpsc::Receiver<Cue<SystemTime>>>,
    /// Each voice by itself, where recordings keep them.
    voices: Option<mpsc::Receiver<Voices>>,
    names: BTreeMap<ParticipantId, String>,
    report: Report,
}

struct Published {
    id: BroadcastId,
    shelf: Arc<Shelf>,
    spool: Option<Spool>,
    live: bool,
}

impl Outlets {
    pub(crate) fn new(
        config: Arc<StreamingConfig>,
        origin: Origin,
        (place, stage): (Place, watch::Sender<Stage>),
        facts: mpsc::Sender<BroadcastFact>,
        orders: mpsc::Receiver<Order>,
        (cues, voices): (Option<mpsc::Receiver<Cue<SystemTime>>>, Option<mpsc::Receiver<Voices>>),
    ) -> Self {
        let (published, recorder, pushers) = (None, None, BTreeMap::new());
        let (formats, started, report) = (Vec::new(), None, Report::default());
        Self {
            config,
            origin,
            place,
            stage,
            burden: Burden::default(),
            heard: None,
            pictures: 0,
            published,
            recorder,
            pushers,
            formats,
            started,
            facts,
            orders,
            cues,
            voices,
            names: BTreeMap::new(),
            report,
        }
    }
}

impl Product for Outlets {
    fn report(&self) -> Report {
        self.report
    }

    async fn start(&self, software: bool) -> Result<Studio, StreamingError> {
        let encoder = if software { Some("software") } else { self.config.encoder.as_deref() };
        Studio::spawn(&self.config, self.place.rungs(), encoder).await
    }

    async fn listen(&mut self, studio: &mut StudioReader) -> Hangup {
        loop {
            let said = tokio::select! {
                said = studio.next() => said,
                Some(order) = self.orders.recv() => {
                    self.carry_out(order);
                    continue;
                }
                () = self.place.lowered(), if self.stage.borrow().full_hd => {
                    self.lower("another broadcast needs the room");
                    continue;
                }
                Some(cue) = next(&mut self.cues) => {
                    self.cue(cue);
                    continue;
                }
                Some(voices) = next(&mut self.voices) => {
                    self.voices(voices);
                    continue;
                }
            };
            match said {
                Err(hangup) => return hangup,
                Ok(FromStudio::Encoder(name)) => {
                    tracing::info!(encoder = name, "the studio has chosen its encoder");
                    metrics::counter!("streaming_studios_total", "encoder" => name).increment(1);
                }
                Ok(FromStudio::Started(time)) => self.started(time),
                Ok(FromStudio::Format(track, format)) => self.format(track, format),
                Ok(FromStudio::Unit(unit)) => self.unit(unit),
                Ok(FromStudio::KeyframeWanted(participant, kind)) => {
                    if self.facts.capacity() > FACTS_QUEUE / 4 {
                        self.tell(BroadcastFact::KeyframeWanted(participant, kind));
                    }
                }
                Ok(FromStudio::Undecodable(participant, kind)) => {
                    self.tell(BroadcastFact::Undecodable(participant, kind));
                }
                Ok(FromStudio::Report(report)) => {
                    let skipped = report.ticks_skipped.saturating_sub(self.report.ticks_skipped);
                    metrics::counter!("streaming_ticks_skipped_total").increment(skipped);
                    let criticals = report.criticals.saturating_sub(self.report.criticals);
                    metrics::counter!("streaming_criticals_total").increment(criticals);
                    self.measure(report.cpu_ms);
                    let lost = skipped + report.pictures_dropped.saturating_sub(self.report.pictures_dropped);
                    if self.burden.is_too_much(lost) && self.stage.borrow().full_hd {
                        self.lower("the machine has no time for it");
                    }
                    self.report = report;
                }
            }
        }
    }

    fn studio_died(&mut self) {
        self.heard = None;
        if let Some(published) = &mut self.published {
            published.shelf.change(Packager::end_run);
            published.live = false;
        }
        let ended = self.recorder.as_ref().map(Recorder::run_ended);
        self.recorded(ended);
        self.pushers.values().for_each(Pusher::run_ended);
        self.formats.clear();
        self.started = None;
        self.report = Report::default();
        self.tell(BroadcastFact::Restarting);
    }

    fn end(&mut self, last: BroadcastFact) {
        while let Ok(order) = self.orders.try_recv() {
            self.carry_out(order);
        }
        self.unpublish();
        self.recorder = None;
        self.pushers.clear();
        self.tell(last);
    }
}

impl Outlets {
    fn measure(&mut self, cpu_ms: u64) {
        let now = Instant::now();
        let used = cpu_ms.saturating_sub(self.report.cpu_ms) as f64 / 1e3;
        let pictures = std::mem::take(&mut self.pictures);
        if let Some(before) = self.heard.replace(now) {
            let seconds = now.duration_since(before).as_secs_f64();
            self.place.measured(used / seconds, (f64::from(pictures) / seconds) as u32);
        }
    }

    /// The largest picture is made no more: players that have it go on with the one of 720 lines.
    fn lower(&mut self, reason: &'static str) {
        tracing::info!(reason, "the picture of 1080 lines is left out from now on");
        metrics::counter!("streaming_lowered_total").increment(1);
        self.place.lower();
        self.stage.send_modify(|stage| stage.full_hd = false);
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Publish(id, shelf) => {
                self.unpublish();
                shelf.change(|packager| {
                    self.started.into_iter().for_each(|time| packager.handle_start(time));
                    self.formats.iter().for_each(|(track, format)| packager.handle_format(*track, format.clone()));
                });
                let spool = self.origin.spool(id, &shelf);
                self.published = Some(Published { id, shelf, spool, live: false });
            }
            Order::Unpublish => self.unpublish(),
            Order::Record(recorder) => {
                let told = self.large().try_for_each(|format| recorder.format(format.clone()));
                let told = told.and_then(|()| recorder.name(self.names.clone()));
                self.recorder = Some(recorder);
                self.recorded(Some(told));
            }
            Order::StopRecording => self.recorder = None,
            Order::Name(names) => {
                let told = self.recorder.as_ref().map(|recorder| recorder.name(names.clone()));
                self.recorded(told);
                self.names = names;
            }
            Order::Push(id, url) => {
                let pusher = Pusher::start(id, url, Arc::clone(&self.config), self.facts.clone());
                self.large().for_each(|format| pusher.format(format.clone()));
                self.pushers.insert(id, pusher);
            }
            Order::StopPush(id) => drop(self.pushers.remove(&id)),
        }
    }

    /// The formats of what files and other servers have.
    fn large(&self) -> impl Iterator<Item = &Format> {
        self.formats.iter().filter(|(track, _)| track.is_main()).map(|(_, format)| format)
    }

    fn unpublish(&mut self) {
        if let Some(Published { id, shelf, .. }) = self.published.take() {
            shelf.change(Packager::finish);
            self.origin.retire(id);
        }
    }

    fn started(&mut self, time: SystemTime) {
        self.started = Some(time);
        if let Some(published) = &self.published {
            published.shelf.change(|packager| packager.handle_start(time));
        }
    }

    fn format(&mut self, track: Track, format: Format) {
        if let Some(published) = &self.published {
            published.shelf.change(|packager| packager.handle_format(track, format.clone()));
        }
        self.formats.push((track, format.clone()));
        if !track.is_main() {
            return;
        }
        let told = self.recorder.as_ref().map(|recorder| recorder.format(format.clone()));
        self.recorded(told);
        self.pushers.values().for_each(|pusher| pusher.format(format.clone()));
    }

    fn unit(&mut self, unit: AccessUnit) {
        self.pictures += u32::from(unit.track == Track::Video);
        if unit.track.is_main() {
            let told = self.recorder.as_mut().map(|recorder| recorder.unit(unit.clone()));
            self.recorded(told);
            self.pushers.values_mut().for_each(|pusher| pusher.unit(unit.clone()));
        }
        let Some(published) = &mut self.published else { return };
        let now = SystemTime::now();
        let (mut whole, mut expired) = (Vec::new(), Vec::new());
        let is_new = published.shelf.change(|packager| {
            let is_new = packager.handle_unit(unit, now);
            if is_new {
                (whole, expired) = (packager.take_whole(), packager.take_expired());
            }
            is_new
        });
        if let Some(spool) = &published.spool {
            whole.into_iter().for_each(|(name, bytes)| spool.keep(name, bytes));
            expired.into_iter().for_each(|name| spool.remove(name));
        }
        if is_new && !published.live && published.shelf.look().is_running() {
            published.live = true;
            self.tell(BroadcastFact::Live);
        }
    }

    /// By the studio's clock from here on.
    fn cue(&mut self, Cue { start, end, text }: Cue<SystemTime>) {
        let Some(zero) = self.started else { return };
        let since = |time: SystemTime| time.duration_since(zero).unwrap_or(Duration::ZERO);
        let cue = Cue { start: since(start), end: since(end), text };
        if let Some(published) = &self.published {
            // It is there when its segment is.
            published.shelf.change(|packager| packager.handle_cue(&cue));
        }
        let told = self.recorder.as_ref().map(|recorder| recorder.cue(cue));
        self.recorded(told);
    }

    fn voices(&mut self, voices: Voices) {
        let since = self.started.and_then(|zero| voices.time.duration_since(zero).ok());
        let told = self.recorder.as_ref().zip(since).map(|(recorder, since)| recorder.voices(voices, since));
        self.recorded(told);
    }

    fn recorded(&mut self, told: Option<Result<(), RecordingFailed>>) {
        if let Some(Err(why)) = told {
            self.recorder = None;
            self.tell(BroadcastFact::RecordingFailed(why));
        }
    }

    fn tell(&self, fact: BroadcastFact) {
        // Nobody listening is fine: the audience is what matters.
        let _unheard = self.facts.try_send(fact);
    }
}

/// The next caption, or what was said; for ever where there is none.
async fn next<T>(coming: &mut Option<mpsc::Receiver<T>>) -> Option<T> {
    match coming {
        Some(coming) => coming.recv().await,
        None => std::future::pending().await,
    }
}
