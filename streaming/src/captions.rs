//! Captions by a recogniser of speech that is a program of its own (B8): it is sent the meeting's sound over a WebSocket and
//! gives back what was said, as `docs/reference/captions.md` has it.
//!
//! It is a stranger to us: away, slow or mad, it costs captions and nothing else. Nobody waits for it, and what it says is
//! bounded in length and number.

mod timeline;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::{Sink, SinkExt, StreamExt, stream::SplitStream};
use media::Frame;
use serde::Deserialize;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header},
        protocol::WebSocketConfig,
    },
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    patience::Patience,
    vtt::{self, Cue},
};
use timeline::{RATE, Timeline};

/// Sound that waits for the recogniser: a second. More would be late, and late words stand under other pictures.
pub(crate) const SOUND_MAX: usize = 50;

/// Captions that wait to be published.
const CUES_MAX: usize = 16;

/// How much sound is sent at once: 100 ms. Less is more work for the recogniser, more is delay.
const FRAMES_AT_ONCE: usize = 5;

/// How long it may take to be connected to.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long it may take no sound.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// The longest answer, in bytes: a minute's words with the time of each are a tenth of it.
const ANSWER_MAX: usize = 64 << 10;

/// Answers in one second; it is asked ten times in each.
const ANSWERS_MAX: u32 = 100;

/// A recogniser that lived so long was well: the next try after it is soon.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// Waits before the next tries; the last one goes on for as long as there is a broadcast.
const WAITS: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// Words without a time were said so long before they came.
const GUESSED: Duration = Duration::from_secs(2);

/// How much later than at the mixer sound is in the broadcast: what waits in the studio for its turn.
const SOUND_DELAY: Duration = Duration::from_millis(90);

/// Where the recogniser is.
#[derive(Clone)]
pub struct CaptionsConfig {
    /// `ws://` or `wss://`.
    pub url: String,
    /// Of what is spoken, and so of the captions (BCP 47).
    pub language: String,
    /// Sent as `Authorization`.
    pub authorization: Option<String>,
}

impl std::fmt::Debug for CaptionsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Addresses of recognisers in the cloud have keys in their queries.
        f.debug_struct("CaptionsConfig").field("language", &self.language).finish_non_exhaustive()
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl CaptionsConfig {
    /// Connects and is gone again: whether there is a recogniser.
    pub async fn probe(&self) -> Result<(), CaptionsError> {
        Ok(self.connect().await?.close(None).await?)
    }

    async fn connect(&self) -> Result<Socket, CaptionsError> {
        let mut request = self.url.as_str().into_client_request()?;
        if let Some(authorization) = &self.authorization {
            let value = HeaderValue::from_str(authorization).map_err(|error| Error::HttpFormat(error.into()))?;
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let bounds = WebSocketConfig::default().max_message_size(Some(ANSWER_MAX)).max_frame_size(Some(ANSWER_MAX));
        let connected = timeout(CONNECT_MAX, connect_async_with_config(request, Some(bounds), true)).await;
        Ok(connected.map_err(|_| CaptionsError::Silent)??.0)
    }
}

/// Why there are no captions.
#[derive(Debug, thiserror::Error)]
pub enum CaptionsError {
    /// It can't be reached, or talks no WebSocket.
    #[error("{0}")]
    Socket(#[from] Box<Error>),
    /// It doesn't answer.
    #[error("the recogniser doesn't answer")]
    Silent,
    /// It takes nothing.
    #[error("the recogniser has taken nothing for {WRITE_MAX:?}")]
    Stuck,
    /// It says too much.
    #[error("the recogniser says too much")]
    Flood,
    /// It has hung up.
    #[error("the recogniser has hung up")]
    Gone,
}

impl From<Error> for CaptionsError {
    fn from(error: Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// 20 ms of the meeting's sound, and when they were mixed.
pub(crate) type Sound = (SystemTime, Box<Frame>);

/// Sends a broadcast's sound to the recogniser until `stop`; what comes back has the broadcast's times by the clock on the
/// wall.
pub(crate) fn listen(
    config: CaptionsConfig,
    sound: mpsc::Receiver<Sound>,
    stop: CancellationToken,
) -> mpsc::Receiver<Cue<SystemTime>> {
    let (cues, told) = mpsc::channel(CUES_MAX);
    let mut captions = Captions { config, sound, cues };
    let life = async move { Box::pin(stop.run_until_cancelled(captions.run())).await };
    tokio::spawn(life.instrument(tracing::info_span!("captions")));
    told
}

struct Captions {
    config: CaptionsConfig,
    sound: mpsc::Receiver<Sound>,
    cues: mpsc::Sender<Cue<SystemTime>>,
}

impl Captions {
    /// Connects again and again, for as long as there is a broadcast.
    async fn run(&mut self) {
        let mut patience = Patience::new(&WAITS);
        loop {
            let since = Instant::now();
            let Err(error) = self.attempt().await else { return };
            if since.elapsed() >= WELL_AFTER {
                patience.reset();
            }
            let was_well = patience.is_whole();
            let wait = patience.next();
            if was_well {
                tracing::warn!(%error, "no captions: the recogniser is tried again and again");
            } else {
                tracing::debug!(%error, ?wait, "no captions yet");
            }
            metrics::counter!("streaming_captions_failures_total").increment(1);
            sleep(wait).await;
            // What was said meanwhile is not to be understood late.
            while self.sound.try_recv().is_ok() {}
        }
    }

    /// One connection's life; it ends well when the broadcast does.
    async fn attempt(&mut self) -> Result<(), CaptionsError> {
        let (to, from) = self.config.connect().await?.split();
        tracing::info!("the recogniser listens");
        let timeline = Mutex::new(Timeline::default());
        tokio::select! {
            sent = speak(&self.config, &mut self.sound, to, &timeline) => sent,
            Err(error) = hear(from, &self.cues, &timeline) => Err(error),
        }
    }
}

async fn speak(
    config: &CaptionsConfig,
    sound: &mut mpsc::Receiver<Sound>,
    mut to: impl Sink<Message, Error = Error> + Unpin,
    timeline: &Mutex<Timeline>,
) -> Result<(), CaptionsError> {
    let hello = serde_json::json!({"config": {"sample_rate": RATE, "words": true, "language": config.language}});
    to.send(Message::text(hello.to_string())).await?;
    let mut frames = Vec::with_capacity(FRAMES_AT_ONCE);
    while let Some(frame) = sound.recv().await {
        frames.push(frame);
        if frames.len() < FRAMES_AT_ONCE {
            continue;
        }
        let pcm = lock(timeline).take(frames.drain(..));
        timeout(WRITE_MAX, to.send(Message::binary(pcm))).await.map_err(|_| CaptionsError::Stuck)??;
    }
    // It is asked for its last words, which nobody waits for any more.
    let _gone = timeout(WRITE_MAX, to.send(Message::text(r#"{"eof" : 1}"#))).await;
    Ok(())
}

async fn hear(
    mut from: SplitStream<Socket>,
    cues: &mpsc::Sender<Cue<SystemTime>>,
    timeline: &Mutex<Timeline>,
) -> Result<(), CaptionsError> {
    let (mut second, mut answers) = (Instant::now(), 0);
    while let Some(message) = from.next().await {
        let message = message?;
        answers += 1;
        if second.elapsed() >= Duration::from_secs(1) {
            (second, answers) = (Instant::now(), 1);
        }
        if answers > ANSWERS_MAX {
            return Err(CaptionsError::Flood);
        }
        let Message::Text(text) = message else { continue };
        let Some(cue) = Answer::read(&text).and_then(|answer| answer.cue(&lock(timeline))) else { continue };
        // Full, nobody publishes: there is nothing to be late for.
        if cues.try_send(cue).is_ok() {
            metrics::counter!("streaming_captions_total").increment(1);
        }
    }
    Err(CaptionsError::Gone)
}

fn lock(timeline: &Mutex<Timeline>) -> std::sync::MutexGuard<'_, Timeline> {
    // Whole between any two operations.
    timeline.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a recogniser says. Times are seconds since the first sample it was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    text: String,
    start: Option<f64>,
    end: Option<f64>,
    /// As Vosk says it, word by word.
    result: Vec<Word>,
}

#[derive(Debug, Deserialize)]
struct Word {
    start: f64,
    end: f64,
}

impl Answer {
    /// None where it says nothing, or nonsense.
    fn read(text: &str) -> Option<Self> {
        let read = serde_json::from_str::<Self>(text);
        read.inspect_err(|error| tracing::debug!(%error, "the recogniser talks nonsense")).ok()
    }

    fn cue(self, timeline: &Timeline) -> Option<Cue<SystemTime>> {
        let text = vtt::clean(&self.text)?;
        let until = timeline.seconds();
        let end = self.end.or_else(|| self.result.last().map(|word| word.end)).unwrap_or(until);
        let start = self.start.or_else(|| self.result.first().map(|word| word.start));
        let start = start.unwrap_or(end - GUESSED.as_secs_f64());
        let is_time = start.is_finite() && end.is_finite() && start <= end && end <= until + 1.0;
        let at = |seconds: f64| timeline.at(seconds.clamp(0.0, until)).map(|time| time + SOUND_DELAY);
        is_time.then_some(())?;
        Some(Cue { start: at(start)?, end: at(end)?, text })
    }
}

#[cfg(test)]
mod tests {
    use media::{SILENCE, TICK};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::Feed;

    /// Ten seconds have been sent, from 100 s after 1970 on.
    fn timeline() -> Timeline {
        let mut timeline = Timeline::default();
        for frame in 0..500_u64 {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(100_000 + frame * 20);
            timeline.take([(time, Box::new(SILENCE))].into_iter());
        }
        timeline
    }

    fn said(answer: &str) -> Option<(u128, u128, String)> {
        let since = |time: SystemTime| (time - SOUND_DELAY).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let cue = Answer::read(answer)?.cue(&timeline())?;
        Some((since(cue.start), since(cue.end), cue.text))
    }

    #[test]
    fn answers_are_read() {
        let check = |answer: &str, expected: Option<(u128, u128, &str)>| {
            assert_eq!(said(answer), expected.map(|(start, end, text)| (start, end, text.to_owned())), "{answer}");
        };
        check(r#"{"text": "大家好", "start": 2.5, "end": 4.0}"#, Some((102_500, 104_000, "大家好")));
        let vosk = r#"{"result": [{"conf": 1.0, "start": 1.0, "end": 1.5, "word": "a"},
            {"conf": 0.9, "start": 1.5, "end": 2.25, "word": "b"}], "text": "a b"}"#;
        check(vosk, Some((101_000, 102_250, "a b")));
        check(r#"{"text": "x"}"#, Some((108_000, 110_000, "x")));
        // Nothing yet, nothing at all, and nonsense.
        for none in [
            r#"{"partial": "大"}"#,
            r#"{"text": ""}"#,
            r#"{"text": 5}"#,
            r#"{"text": "x", "start": 5, "end": 4}"#,
            r#"{"text": "x", "start": 0, "end": 400}"#,
            r#"{"text": "x", "end": 1e999}"#,
            "",
            "null",
            "[1, 2",
        ] {
            check(none, None);
        }
    }

    // product: B8
    #[tokio::test(start_paused = true)]
    async fn a_recogniser_that_takes_nothing_is_left_and_nobody_waits_for_it() {
        // Half a second of sound fits into its socket.
        let (ours, _its) = tokio::io::duplex(16_384);
        let mut socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
        let (feed, mut queues, ears) = Feed::new(true, false);
        let mut sound = ears.sound.unwrap();
        let config = CaptionsConfig { url: String::new(), language: "zh-CN".to_owned(), authorization: None };
        let (timeline, start) = (Mutex::default(), Instant::now());
        let meeting = async {
            let mut ticks = tokio::time::interval(TICK);
            for frame in 0.. {
                ticks.tick().await;
                feed.program(&SILENCE);
                assert!(queues.program.try_recv().is_ok(), "the studio has missed frame {frame}");
            }
        };
        tokio::select! {
            ended = speak(&config, &mut sound, &mut socket, &timeline) => {
                assert!(matches!(ended, Err(CaptionsError::Stuck)), "{ended:?}");
            }
            () = meeting => {}
        }
        let spent = start.elapsed();
        assert!((WRITE_MAX..WRITE_MAX + Duration::from_secs(2)).contains(&spent), "after {spent:?}");
        assert_eq!(sound.len(), SOUND_MAX, "a second waits and no more");
    }

    proptest::proptest! {
        #[test]
        fn no_answer_is_too_strange(answer in r#"\{("(text|start|end|result)": ?("[a-z<>]*"|-?[0-9e.]{1,9}|\[\]|null),?){0,4}\}|.*"#) {
            if let Some(cue) = Answer::read(&answer).and_then(|answer| answer.cue(&timeline())) {
                proptest::prop_assert!(cue.start <= cue.end && !cue.text.is_empty());
            }
        }
    }
}
