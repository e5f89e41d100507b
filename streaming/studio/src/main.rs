//! `huitong-studio`: one broadcast's picture and sound, composed and encoded.
//!
//! It is started by `huitong` with a socket as its standard input, speaks [`streaming::wire`] on it, logs to standard
//! error, and leaves when the socket closes. All native media code of the product's livestreams runs in here, so that a
//! crash in it ends nothing else.
//!
//! ```text
//! socket ─► main: packets ─► Inputs: a pipeline for each track ─► Slot: its latest picture
//!                 scenes, sound ─► Director: every tick  ◄────────┘
//!                                  Composer, Program ─► Encoder ─► writer ─► socket
//! ```

mod av1;
mod composer;
mod criticals;
mod director;
mod encoder;
mod fault;
mod h264;
mod image;
mod ingest;
mod input;
mod layout;
mod lettering;
mod parent;
mod picture;
mod push;
mod refusal;
mod remux;
mod sound;
mod trust;
mod tunnel;

use std::{
    io::{self, BufReader, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
};

use anyhow::Context;
use streaming::wire::{self, FromStudio, ToStudio};

use crate::{
    composer::{Composer, Dress},
    director::{Cue, Director, Set},
    encoder::Encoder,
    image::Image,
    input::Inputs,
    layout::Size,
    lettering::Lettering,
};

/// Units on their way to the parent: several seconds of them. When it doesn't read, the encoders wait, and pictures are
/// dropped before them.
const SAID_QUEUE: usize = 256;

/// Scenes and sound on their way to the director. When it has no time, sound is dropped and scenes wait.
const CUES_QUEUE: usize = 64;

fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    criticals::watch();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [remux, from, to] = &arguments[..]
        && remux == "--remux"
    {
        return remux::remux(from.as_ref(), to.as_ref());
    }
    match &arguments[..] {
        [push] if push == "--push" => return push::push(None),
        [push, name, authority] if push == "--push" && name == "--authority" => {
            return push::push(Some(authority.as_ref()));
        }
        [decoders] if decoders == "--missing-decoders" => return tell_missing_decoders(),
        [ingest] if ingest == "--ingest" => return ingest::ingest(None),
        [ingest, name, encoder] if ingest == "--ingest" && name == "--encoder" => return ingest::ingest(Some(encoder)),
        _ => {}
    }
    let files = Files::parse(arguments.into_iter())?;
    let socket = parent::connect()?;

    let (said, to_say) = sync_channel(SAID_QUEUE);
    let writer = {
        let socket = socket.try_clone().context("socket")?;
        thread::Builder::new().name("writer".to_owned()).spawn(move || write(socket, &to_say))?
    };
    let (cues, cued) = sync_channel(CUES_QUEUE);
    let image = |path: Option<PathBuf>| path.as_deref().and_then(Image::load);
    let lettering = Lettering::load(files.font.as_deref());
    let dress = Dress { logo: image(files.logo), background: image(files.background), poster: image(files.poster) };
    let size = if files.full_hd { Size::FULL_HD } else { Size::HD };
    let composer = Composer::new(lettering, dress, size);
    let encoder = if files.rooms {
        Encoder::for_rooms(&said)?
    } else {
        Encoder::start(&said, size, files.low, files.encoder.as_deref())?
    };
    let director = Director { composer, encoder, said: said.clone() };
    let director = {
        let socket = socket.try_clone().context("socket")?;
        thread::Builder::new().name("director".to_owned()).spawn(move || {
            let ended = director.run(&cued);
            if ended.is_err() {
                // Wakes the reader below.
                let _closed = socket.shutdown(Shutdown::Both);
            }
            ended
        })?
    };
    let read = read(socket, Inputs::new(said), size, &cues);
    drop(cues);
    director.join().map_err(|_| anyhow::anyhow!("the director panicked"))??;
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?;
    read
}

/// The codecs of participants' pictures that can't be shown, one a line: for who installs this.
fn tell_missing_decoders() -> anyhow::Result<()> {
    gstreamer::init()?;
    let mut out = io::stdout().lock();
    for codec in input::missing_decoders() {
        writeln!(out, "{codec}")?;
    }
    Ok(())
}

/// What the arguments say: `--font FILE`, `--logo FILE`, `--background FILE`, `--poster FILE`, `--low` for the small
/// picture as well, `--full-hd` for a large one, and `--encoder NAME` for what codes them; or `--rooms` for what room systems see.
#[derive(Debug, Default, PartialEq, Eq)]
struct Files {
    font: Option<PathBuf>,
    logo: Option<PathBuf>,
    background: Option<PathBuf>,
    poster: Option<PathBuf>,
    low: bool,
    full_hd: bool,
    rooms: bool,
    encoder: Option<String>,
}

impl Files {
    fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut files = Self::default();
        while let Some(name) = arguments.next() {
            let file = match name.as_str() {
                "--font" => &mut files.font,
                "--logo" => &mut files.logo,
                "--background" => &mut files.background,
                "--poster" => &mut files.poster,
                "--low" => {
                    files.low = true;
                    continue;
                }
                "--rooms" => {
                    files.rooms = true;
                    continue;
                }
                "--full-hd" => {
                    files.full_hd = true;
                    continue;
                }
                "--encoder" => {
                    files.encoder = Some(arguments.next().context("--encoder has a name")?);
                    continue;
                }
                _ => anyhow::bail!("huitong-studio doesn't know {name}; a socket is its standard input"),
            };
            *file = Some(PathBuf::from(arguments.next().with_context(|| format!("{name} names a file"))?));
        }
        Ok(files)
    }
}

/// Hands on what the parent says, until it closes the socket. The picture is never larger than `size`.
fn read(socket: UnixStream, mut inputs: Inputs, size: Size, cues: &SyncSender<Cue>) -> anyhow::Result<()> {
    let mut socket = BufReader::with_capacity(64 << 10, socket);
    while let Some(frame) = wire::read_frame(&mut socket)? {
        match ToStudio::read(frame)? {
            ToStudio::Video { participant, kind, lead, codec, rtp } => {
                inputs.packet((participant, kind), lead, codec, rtp);
            }
            ToStudio::Program(frame) => {
                if let Err(TrySendError::Disconnected(_)) = cues.try_send(Cue::Program(frame)) {
                    break;
                }
            }
            ToStudio::Keyframe(track) => {
                if let Err(TrySendError::Disconnected(_)) = cues.try_send(Cue::Keyframe(track)) {
                    break;
                }
            }
            ToStudio::Stage(stage) => {
                let size = if stage.full_hd { size } else { Size::HD };
                let roles = inputs.set_scene(&stage.scene, size);
                if cues.send(Cue::Scene(Set { title: stage.title, roles, size, rooms: stage.rooms })).is_err() {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Says everything there is to say with as few writes as possible; ends when nobody is left to say anything.
fn write(mut socket: UnixStream, to_say: &Receiver<FromStudio>) {
    let mut bytes = Vec::new();
    while let Ok(message) = to_say.recv() {
        bytes.clear();
        message.write(&mut bytes);
        while let Ok(message) = to_say.try_recv() {
            message.write(&mut bytes);
        }
        if let Err(error) = socket.write_all(&bytes) {
            tracing::debug!(%error, "the parent is gone");
            // Wakes the reader.
            let _closed = socket.shutdown(Shutdown::Both);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_files() {
        let parse = |arguments: &[&str]| Files::parse(arguments.iter().map(|argument| (*argument).to_owned()));
        assert_eq!(parse(&[]).unwrap(), Files::default());
        let files = parse(&["--logo", "a.png", "--font", "b.ttf"]).unwrap();
        assert_eq!((files.logo, files.font), (Some("a.png".into()), Some("b.ttf".into())));
        assert!(!files.low && parse(&["--low"]).unwrap().low);
        assert!(!files.full_hd && parse(&["--full-hd"]).unwrap().full_hd);
        assert!(!files.rooms && parse(&["--rooms"]).unwrap().rooms);
        assert_eq!(parse(&["--encoder", "x264enc"]).unwrap().encoder.as_deref(), Some("x264enc"));
        assert!(
            parse(&["--encoder"]).is_err()
                && parse(&["--font"]).is_err()
                && parse(&["--help"]).is_err()
                && parse(&["a.ttf"]).is_err()
        );
    }
}
