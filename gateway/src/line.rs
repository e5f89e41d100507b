//! A caller on the line: what he hears, what he keys, when he goes.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use conference::Via;
use media::Clip;
use model::{PhoneNumber, Vouched};
use plane::{LegCodec, LegFact, LegMedia, LegSettings, PlayId, Recording};
use sip::{
    Referral,
    sdp::{self, Agreed, Codec, Direction, Lines},
};
use sipconf::{Language, Prompt, SitePrompts};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    House,
    end_cause::EndCause,
    names::Entry,
    offer, pictures,
    security::Security,
    switchboard::{Order, Orders, Signal},
};

/// One answered call.
pub(crate) struct Line {
    pub(crate) house: Arc<House>,
    pub(crate) language: Language,
    /// Of the site he called or is in, in the place of the product's.
    pub(crate) own: Option<Arc<SitePrompts>>,
    pub(crate) leg: LegMedia,
    pub(crate) orders: Orders,
    pub(crate) signals: mpsc::Receiver<Signal>,
    pub(crate) facts: mpsc::Receiver<LegFact>,
    pub(crate) signalling: IpAddr,
    pub(crate) session: u64,
    pub(crate) version: u64,
    /// Who sends, from his side.
    pub(crate) direction: Direction,
    /// What else the session has than sound.
    lines: Option<Box<Lines>>,
    /// He is sent the meeting's picture.
    sees: bool,
    /// He shows his own, and whether he did when that was told last.
    shows: bool,
    told_shows: bool,
    /// What he has said of that and is not done yet, and whether he was on hold before.
    change: Option<(Change, bool)>,
    pub(crate) keys: Keys,
    /// Of the meeting, to him.
    pub(crate) volume_db: i32,
    /// As he said it before he came in.
    pub(crate) name: Option<Recording>,
    pub(crate) sayings: Sayings,
    /// On the roll of the meeting he goes to, where he is on it already: by a call that this one takes over.
    pub(crate) entry: Option<Entry>,
    pub(crate) security: Security,
    /// Who says that his number is his.
    pub(crate) vouched: Vouched,
    /// The carrier he came by.
    pub(crate) trunk: Option<usize>,
    /// He has heard in which language he is spoken to.
    pub(crate) greeted: bool,
    /// He is in a meeting.
    pub(crate) seated: bool,
    /// He may go to another: he called.
    pub(crate) may_move: bool,
    /// The meeting he goes to.
    pub(crate) moves_to: Option<String>,
}

/// What is said to a caller in his meeting, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Sayings {
    /// And until when its end must have been told.
    playing: Option<(PlayId, Instant)>,
    waiting: VecDeque<Clip>,
}

/// How a key was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyBy {
    Media,
    Info,
}

/// Keys of both kinds as one row: a phone that sends each key both ways has pressed it once (P2).
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Keys that came by one way, and may yet come by the other.
    single: VecDeque<(KeyBy, char, Instant)>,
}

impl Keys {
    /// Whether this is a key of its own.
    pub(crate) fn take(&mut self, by: KeyBy, key: char, now: Instant) -> bool {
        self.single.retain(|(_, _, at)| now.saturating_duration_since(*at) < KEY_TWIN);
        let twin = self.single.iter().position(|(known_by, known, _)| *known_by != by && *known == key);
        if let Some(twin) = twin {
            self.single.remove(twin);
            return false;
        }
        if self.single.len() < SINGLE_KEYS_MAX {
            self.single.push_back((by, key, now));
        }
        true
    }
}

/// A new description of his sound.
#[derive(Debug, Clone)]
enum Change {
    /// Empty where he waits for one of ours.
    Offer(Vec<u8>),
    /// To ours.
    Answer(Vec<u8>),
}

/// What a script waits for.
#[derive(Debug)]
pub(crate) enum Happening {
    Digit(char),
    PlayDone(PlayId),
    /// His telephone was put on hold, or taken off.
    Held(bool),
    /// Nothing comes from him, or it comes again.
    Stalled(bool),
    /// He shows his picture, or no longer.
    Shows(bool),
    /// What was to be recorded is.
    Recorded,
    /// He wants to be put through.
    Referred(Referral),
}

impl Line {
    pub(crate) fn new(
        house: Arc<House>,
        leg: LegMedia,
        orders: Orders,
        signals: mpsc::Receiver<Signal>,
        facts: mpsc::Receiver<LegFact>,
        signalling: IpAddr,
        session: u64,
        security: Security,
        direction: Direction,
    ) -> Self {
        Self {
            house,
            language: Language::ZhCn,
            own: None,
            leg,
            orders,
            signals,
            facts,
            signalling,
            session,
            version: 1,
            direction,
            lines: None,
            shows: false,
            sees: false,
            told_shows: false,
            change: None,
            keys: Keys::default(),
            volume_db: 0,
            name: None,
            sayings: Sayings::default(),
            entry: None,
            security,
            vouched: Vouched::Nobody,
            trunk: None,
            greeted: false,
            seated: false,
            may_move: false,
            moves_to: None,
        }
    }

    /// He listens to nobody: what comes from there is music, if anything (RFC 3264 §8.4).
    pub(crate) fn on_hold(&self) -> bool {
        matches!(self.direction, Direction::SendOnly | Direction::Inactive)
    }

    /// What he comes into a meeting by.
    pub(crate) fn via(&self, number: &PhoneNumber) -> Via {
        Via::Phone { number: number.clone(), leg: self.leg.id(), vouched: self.vouched.clone() }
    }

    /// He has entered a wrong number or password.
    pub(crate) fn note_wrong(&self) {
        if let Some(trunk) = self.trunk.and_then(|index| self.house.carriers.plan().trunks().get(index)) {
            metrics::counter!("gateway_trunk_wrong_entries", "trunk" => trunk.name.clone()).increment(1);
        }
    }

    /// The next key or end of a prompt; an error is the end of the call. Who waits for something else too may let go of it at any time:
    /// what was begun is done the next time.
    pub(crate) async fn next(&mut self) -> Result<Happening, EndCause> {
        loop {
            if std::mem::replace(&mut self.told_shows, self.shows) != self.shows {
                return Ok(Happening::Shows(self.shows));
            }
            if let Some((change, was_on_hold)) = self.change.clone() {
                match change {
                    Change::Offer(offer) => self.reoffered(&offer).await,
                    Change::Answer(answer) => drop(self.settle(&answer, true).await),
                }
                self.change = None;
                if self.on_hold() != was_on_hold {
                    return Ok(Happening::Held(!was_on_hold));
                }
            }
            tokio::select! {
                signal = self.signals.recv() => match signal {
                    Some(Signal::Reoffered(offer)) => self.change = Some((Change::Offer(offer), self.on_hold())),
                    Some(Signal::Digit(key)) => {
                        self.leg.ignore_tones(false);
                        if self.keys.take(KeyBy::Info, key, Instant::now()) {
                            return Ok(Happening::Digit(key));
                        }
                    }
                    Some(Signal::KeyframeWanted) => self.leg.keyframe_wanted(),
                    Some(Signal::Confirmed(answer)) if !answer.is_empty() => {
                        self.change = Some((Change::Answer(answer), self.on_hold()));
                    }
                    Some(Signal::Referred(referral)) if self.seated => {
                        return Ok(Happening::Referred(*referral));
                    }
                    // Who is in no meeting yet has nobody who could be put through.
                    Some(Signal::Referred(_)) => self.orders.give(Order::AnswerRefer(403, "Forbidden")).await,
                    Some(Signal::Replaced) => return Err(EndCause::Replaced),
                    Some(Signal::Confirmed(_)) => {}
                    Some(Signal::Trying | Signal::Rings | Signal::Answered(_)) => {}
                    Some(Signal::Redirected(_) | Signal::RetryAfter(_)) => {}
                    Some(Signal::Canceled) => return Err(EndCause::Canceled),
                    Some(Signal::Ended | Signal::Refused(_)) | None => return Err(EndCause::HungUp),
                },
                fact = self.facts.recv() => match fact {
                    Some(LegFact::Digit(key)) if self.keys.take(KeyBy::Media, key, Instant::now()) => {
                        return Ok(Happening::Digit(key));
                    }
                    Some(LegFact::Digit(_)) => {}
                    Some(LegFact::PlayDone(id)) => return Ok(Happening::PlayDone(id)),
                    Some(LegFact::RecordingFull) => return Ok(Happening::Recorded),
                    Some(LegFact::KeyframeWanted) => self.orders.give(Order::WantKeyframe).await,
                    // Who is on hold, or only listens, has nothing to send; whether he is gone his session tells.
                    Some(LegFact::NoMedia) if self.direction == Direction::SendRecv => return Err(EndCause::NoMedia),
                    Some(LegFact::Stalled) => return Ok(Happening::Stalled(true)),
                    Some(LegFact::MediaBack) => return Ok(Happening::Stalled(false)),
                    Some(LegFact::NoMedia | LegFact::FirstPacket) => {}
                    None => return Err(EndCause::Failed),
                },
                () = self.house.stopping.cancelled() => return Err(EndCause::ServerStopping),
            }
        }
    }

    /// Hold, resume, another address or codec; or he waits for our offer.
    async fn reoffered(&mut self, offer: &[u8]) {
        let local = reachable(self.leg.local(), self.signalling);
        let answer = if offer.is_empty() {
            self.version += 1;
            let (offered, lines) = (self.security.offered(), self.lines.as_deref());
            Some(sdp::offer_anew(local, self.session, self.version, offered, lines))
        } else {
            let agreed = self.settle(offer, false).await;
            agreed.map(|agreed| {
                self.version += 1;
                agreed.answer(local, self.session, self.version)
            })
        };
        self.orders.give(Order::AnswerReoffer(answer)).await;
    }

    /// Does as his description says. None where that can't be done: all stays as it was.
    async fn settle(&mut self, description: &[u8], is_answer: bool) -> Option<Agreed> {
        let mut agreed = offer::agree_at(self.leg.local(), description, self.signalling, &self.house.ours).ok()?;
        if is_answer {
            agreed = agreed.answering(self.security.offered()).ok()?;
        }
        let had_video = self.lines.as_ref().is_some_and(|lines| lines.has_video());
        if is_answer && !had_video {
            agreed.video = None;
        }
        pictures::take(&mut agreed, &self.leg, &self.house).await;
        if is_answer {
            self.security.join_video(&mut agreed);
        } else {
            self.security.join(&mut agreed);
        }
        if self.security.refuses(&agreed) {
            return None;
        }
        self.leg.start(settings(&agreed, self.signalling, &self.security)).await.ok()?;
        self.security.agreed(&agreed);
        self.direction = agreed.direction;
        self.show(&agreed).await.ok()?;
        Some(agreed)
    }

    /// His pictures are to be as was agreed on.
    pub(crate) async fn show(&mut self, agreed: &Agreed) -> Result<(), plane::PlaneError> {
        let settings = pictures::settings(agreed, self.signalling, &self.security, self.on_hold(), &self.house);
        self.shows = settings.as_ref().is_some_and(|settings| settings.taken);
        self.sees = settings.as_ref().is_some_and(|settings| settings.sends.is_some());
        self.lines = agreed.lines().map(Box::new);
        self.leg.set_pictures(settings).await
    }

    /// He is sent the meeting's picture.
    pub(crate) fn sees(&self) -> bool {
        self.sees
    }

    /// Whether he shows his picture now; only what changes from here on is told.
    pub(crate) fn shows(&mut self) -> bool {
        self.told_shows = self.shows;
        self.shows
    }

    /// One step louder or softer, as far as it goes.
    pub(crate) fn turn(&mut self, louder: bool) {
        let step = if louder { VOLUME_STEP_DB } else { -VOLUME_STEP_DB };
        self.volume_db = (self.volume_db + step).clamp(-VOLUME_DB_MAX, VOLUME_DB_MAX);
        self.leg.set_volume(10_f32.powf(self.volume_db as f32 / 20.0));
    }

    pub(crate) fn clip(&self, prompt: Prompt) -> Clip {
        self.clip_in(self.language, prompt)
    }

    fn clip_in(&self, language: Language, prompt: Prompt) -> Clip {
        let own = self.own.as_ref().and_then(|own| own.clip(language, prompt));
        own.unwrap_or_else(|| self.house.prompts.clip(language, prompt))
    }

    /// The welcome in every language, his own first, each with the key that chooses it.
    pub(crate) fn greeting(&self) -> Clip {
        sipconf::greeting(self.language, |language, prompt| self.clip_in(language, prompt))
    }

    pub(crate) async fn play(&self, clip: Clip) -> Result<PlayId, EndCause> {
        self.leg.play(clip, false).await.map_err(|_| EndCause::Failed)
    }

    /// Prompts in his language, one after the other.
    pub(crate) fn words(&self, prompts: &[Prompt]) -> Clip {
        let clips: Vec<Clip> = prompts.iter().map(|prompt| self.clip(*prompt)).collect();
        sipconf::join(&clips)
    }

    /// Says something when what is being said has been said.
    pub(crate) async fn say(&mut self, clip: Clip) -> Result<(), EndCause> {
        if self.sayings.playing.is_none_or(|(_, until)| until <= Instant::now()) {
            self.sayings.waiting.push_back(clip);
            return self.say_next().await;
        }
        if self.sayings.waiting.len() >= SAYINGS_MAX {
            self.sayings.waiting.pop_front();
        }
        self.sayings.waiting.push_back(clip);
        Ok(())
    }

    /// Says something at once: an answer to a key. What is being said stops.
    pub(crate) async fn say_now(&mut self, clips: &[Clip]) -> Result<(), EndCause> {
        self.sayings.waiting.push_front(sipconf::join(clips));
        self.say_next().await
    }

    /// Something has been said: the next.
    pub(crate) async fn said(&mut self, id: PlayId) -> Result<(), EndCause> {
        match self.sayings.playing {
            Some((playing, _)) if playing == id => self.say_next().await,
            Some(_) | None => Ok(()),
        }
    }

    async fn say_next(&mut self) -> Result<(), EndCause> {
        self.sayings.playing = match self.sayings.waiting.pop_front() {
            Some(clip) => {
                let until = told_until(&clip);
                Some((self.play(clip).await?, until))
            }
            None => None,
        };
        Ok(())
    }

    /// He keys an answer and needs no more of the question.
    pub(crate) fn hush(&mut self) {
        self.leg.stop_playing();
        self.sayings = Sayings::default();
    }

    /// Asks for his name and keeps what he says, up to a key or three seconds.
    pub(crate) async fn ask_name(&mut self) -> Result<(), EndCause> {
        let question = sipconf::join(&[self.clip(Prompt::SayName), self.house.prompts.entry_tone()]);
        // Whoever keys something doesn't want to say it.
        if self.ask(&[question], Duration::ZERO).await?.is_some() {
            return Ok(());
        }
        self.leg.record();
        let deadline = Instant::now() + NAME_WITHIN;
        loop {
            tokio::select! {
                happening = self.next() => match happening? {
                    Happening::Digit(_) | Happening::Recorded => break,
                    Happening::PlayDone(_)
                    | Happening::Held(_)
                    | Happening::Stalled(_)
                    | Happening::Shows(_)
                    | Happening::Referred(_) => {}
                },
                () = sleep_until(deadline) => break,
            }
        }
        self.name = self.leg.recorded().await.ok().filter(|recording| recording.clip().is_some());
        Ok(())
    }

    /// Says the last words of a call that is over for its script: only hanging up stops them.
    pub(crate) async fn say_last(&mut self, prompts: &[Prompt], at_most: Duration) {
        let deadline = Instant::now() + at_most;
        for prompt in prompts {
            let Ok(playing) = self.play(self.clip(*prompt)).await else { return };
            loop {
                tokio::select! {
                    signal = self.signals.recv() => if matches!(signal, None | Some(Signal::Ended | Signal::Canceled)) {
                        return;
                    },
                    fact = self.facts.recv() => match fact {
                        Some(LegFact::PlayDone(id)) if id == playing => break,
                        Some(_) => {}
                        None => return,
                    },
                    () = sleep_until(deadline) => return,
                }
            }
        }
    }

    /// Plays one after the other, and stops at the first key (barge-in). The key, or none after `patience` of silence.
    pub(crate) async fn ask(&mut self, clips: &[Clip], patience: Duration) -> Result<Option<char>, EndCause> {
        for clip in clips {
            let until = told_until(clip);
            let playing = self.play(clip.clone()).await?;
            loop {
                let happening = tokio::select! {
                    happening = self.next() => happening?,
                    () = sleep_until(until) => break,
                };
                match happening {
                    Happening::Digit(key) => {
                        self.leg.stop_playing();
                        return Ok(Some(key));
                    }
                    Happening::PlayDone(id) if id == playing => break,
                    Happening::PlayDone(_)
                    | Happening::Held(_)
                    | Happening::Stalled(_)
                    | Happening::Shows(_)
                    | Happening::Recorded
                    | Happening::Referred(_) => {}
                }
            }
        }
        self.key_within(patience).await
    }

    /// Asks, then gathers digits up to `#`, `max`, or a pause. Empty when nothing was keyed.
    pub(crate) async fn gather(&mut self, prompts: &[Prompt], max: usize) -> Result<String, EndCause> {
        let clips: Vec<Clip> = prompts.iter().map(|prompt| self.clip(*prompt)).collect();
        let mut digits = String::new();
        let mut key = self.ask(&clips, FIRST_KEY).await?;
        while let Some(pressed) = key.filter(|pressed| *pressed != '#') {
            if pressed.is_ascii_digit() {
                digits.push(pressed);
            }
            if digits.len() > max {
                break;
            }
            key = self.key_within(BETWEEN_KEYS).await?;
        }
        Ok(digits)
    }

    async fn key_within(&mut self, patience: Duration) -> Result<Option<char>, EndCause> {
        let deadline = Instant::now() + patience;
        loop {
            tokio::select! {
                happening = self.next() => if let Happening::Digit(key) = happening? {
                    return Ok(Some(key));
                },
                () = sleep_until(deadline) => return Ok(None),
            }
        }
    }
}

/// When the end of what begins to play now must have been told.
fn told_until(clip: &Clip) -> Instant {
    Instant::now() + clip.duration() + TOLD_WITHIN
}

/// The end of what plays is told so long after it at the latest. A busy worker is later than its clock by less; more, and whoever it is not told
/// to, since he takes no facts, waits longer in silence.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

/// After a prompt, until the first key: time to look a number up.
const FIRST_KEY: Duration = Duration::from_secs(8);

/// More than this of the meeting's news has passed him by; the oldest is forgotten.
const SAYINGS_MAX: usize = 4;

/// A telephone that sends nothing is not waited for longer.
const NAME_WITHIN: Duration = Duration::from_secs(5);

/// Between keys: time to look at the next digit.
const BETWEEN_KEYS: Duration = Duration::from_secs(5);

/// Each press of the volume keys. Less is hardly noticed, more is a jump.
const VOLUME_STEP_DB: i32 = 4;

/// Farther up, what is loud is only rounded off; farther down, callers take it for a dead line.
const VOLUME_DB_MAX: i32 = 12;

/// Within this time the same key by RTP and by INFO is one key. Longer, and a caller who changes the way would lose keys;
/// shorter, and a slow proxy doubles them.
const KEY_TWIN: Duration = Duration::from_secs(1);

/// Keys remembered for their twins: more than anybody presses in [`KEY_TWIN`].
const SINGLE_KEYS_MAX: usize = 32;

/// Our address as this caller is to use it: a telephone program on this very machine that calls the loopback address
/// sends from there, and would be a stranger if it sent from another.
pub(crate) fn reachable(local: SocketAddr, caller: IpAddr) -> SocketAddr {
    if caller.is_loopback() && caller.is_ipv4() == local.is_ipv4() {
        return SocketAddr::new(caller, local.port());
    }
    local
}

pub(crate) fn settings(agreed: &Agreed, signalling: IpAddr, security: &Security) -> LegSettings {
    let codec_of = |codec: Codec| match codec {
        Codec::Opus => media::AudioCodec::Opus,
        Codec::G722 => media::AudioCodec::G722,
        Codec::Pcma => media::AudioCodec::Pcma,
        Codec::Pcmu => media::AudioCodec::Pcmu,
    };
    let others = agreed.others.iter().map(|other| LegCodec {
        codec: codec_of(other.codec),
        payload_type: other.payload_type,
        comfort_noise: other.comfort_noise,
    });
    LegSettings {
        codec: codec_of(agreed.codec),
        payload_type: agreed.payload_type,
        telephone_event: agreed.telephone_event,
        remote: agreed.remote,
        signalling,
        srtp: security.keying(agreed),
        comfort_noise: agreed.comfort_noise,
        rtcp_mux: agreed.rtcp_mux,
        rtcp: agreed.rtcp,
        sends: matches!(agreed.direction, Direction::SendRecv | Direction::RecvOnly),
        second_event: agreed.second_event,
        others: others.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P2
    #[test]
    fn a_key_sent_both_ways_is_pressed_once() {
        let start = Instant::now();
        let mut keys = Keys::default();
        let at = |ms| start + Duration::from_millis(ms);
        let check = |keys: &mut Keys, row: &[(KeyBy, char, u64)]| -> String {
            row.iter().filter(|(by, key, ms)| keys.take(*by, *key, at(*ms))).map(|(_, key, _)| *key).collect()
        };
        use KeyBy::{Info, Media};
        let both = [(Info, '5', 0), (Media, '5', 40), (Media, '5', 200), (Info, '5', 260), (Info, '6', 300)];
        assert_eq!(check(&mut keys, &both), "556");
        assert_eq!(check(&mut Keys::default(), &[(Info, '5', 0), (Info, '5', 10), (Info, '5', 20)]), "555");
        assert_eq!(check(&mut Keys::default(), &[(Info, '5', 0), (Media, '5', 1_500)]), "55");
    }
}
