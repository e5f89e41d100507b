//! baresip, a SIP phone of somebody else's making, driven over its control port. It plays a tone of its own for ever and
//! writes all it hears to a file.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mixer::tones::{amplitude, sine};
use tempfile::TempDir;

use crate::{browser::Colour, server::last_words};

const RATE: u32 = 48_000;

/// What a WAV file of 16-bit samples begins with.
const HEADER: usize = 44;

/// What the phone speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Pcma,
    Pcmu,
    Opus,
    G722,
}

impl Codec {
    fn name(self) -> &'static str {
        match self {
            Self::Pcma => "pcma",
            Self::Pcmu => "pcmu",
            Self::Opus => "opus",
            Self::G722 => "g722/16000/1",
        }
    }
}

/// One phone.
pub struct Baresip {
    child: Child,
    folder: TempDir,
    control: TcpStream,
    unread: String,
}

/// What was heard, at 48 kHz.
pub struct Heard(Vec<f32>);

impl Heard {
    pub(crate) fn new(samples: impl Iterator<Item = f32>) -> Self {
        Self(samples.collect())
    }

    /// Of raw 32-bit floats, little-endian, mono, at 48 kHz.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::new(bytes.chunks_exact(4).map(|sample| f32::from_le_bytes([sample[0], sample[1], sample[2], sample[3]])))
    }

    /// All of it.
    #[must_use]
    pub fn samples(&self) -> &[f32] {
        &self.0
    }

    /// How loud a tone was in the last `seconds`, full scale 1.
    pub fn tone(&self, hz: f32, seconds: f32) -> f32 {
        let samples = ((seconds * RATE as f32) as usize).min(self.0.len());
        amplitude(&self.0[self.0.len() - samples..], hz, RATE)
    }

    /// Loudness of all it heard between two times since the call began, root mean square.
    pub fn level(&self, from: f32, to: f32) -> f32 {
        let at = |seconds: f32| ((seconds * RATE as f32) as usize).min(self.0.len());
        let part = &self.0[at(from)..at(to)];
        (part.iter().map(|s| s * s).sum::<f32>() / part.len().max(1) as f32).sqrt()
    }
}

impl Baresip {
    /// A phone with a number, a codec and a tone.
    pub fn start(number: &str, codec: Codec, hz: f32) -> Result<Self> {
        Self::start_with(number, "127.0.0.1", codec, tone(hz, RATE), ";regint=0")
    }

    /// One into which this is said over and over, at 48 kHz, full scale 1.
    pub fn start_speaking(number: &str, codec: Codec, speech: &[f32]) -> Result<Self> {
        Self::start_with(number, "127.0.0.1", codec, speech.iter().copied().cycle(), ";regint=0")
    }

    /// One that speaks only to who encrypts, by a key in its offer (RFC 4568).
    pub fn start_encrypted(number: &str, codec: Codec, hz: f32) -> Result<Self> {
        Self::start_with(number, "127.0.0.1", codec, tone(hz, RATE), ";regint=0;mediaenc=srtp-mand")
    }

    /// One that speaks only to who shakes hands with it on the way its sound goes (RFC 5763). Its key is RSA's.
    pub fn start_dtls(number: &str, codec: Codec, hz: f32) -> Result<Self> {
        Self::start_with(number, "127.0.0.1", codec, tone(hz, RATE), ";regint=0;mediaenc=dtls_srtp")
    }

    /// One that is reached by a registrar.
    pub fn start_registered(number: &str, registrar: SocketAddr, codec: Codec, hz: f32) -> Result<Self> {
        let mut phone = Self::start_registering(number, "none", registrar, codec, hz)?;
        phone.wait_for("REGISTER_OK")?;
        Ok(phone)
    }

    /// One that tries to be, with this password.
    pub fn start_registering(
        number: &str,
        password: &str,
        registrar: SocketAddr,
        codec: Codec,
        hz: f32,
    ) -> Result<Self> {
        Self::register(number, password, registrar, codec, hz, "")
    }

    /// One that is reached by a registrar, and takes calls encrypted so alone: `srtp-mand`, `dtls_srtp`.
    pub fn start_registered_encrypted(
        number: &str,
        password: &str,
        registrar: SocketAddr,
        (codec, hz): (Codec, f32),
        encryption: &str,
    ) -> Result<Self> {
        let mut phone = Self::register(number, password, registrar, codec, hz, &format!(";mediaenc={encryption}"))?;
        phone.wait_for("REGISTER_OK")?;
        Ok(phone)
    }

    fn register(
        number: &str,
        password: &str,
        registrar: SocketAddr,
        codec: Codec,
        hz: f32,
        more: &str,
    ) -> Result<Self> {
        // The control port tells only what happens while somebody is there to hear it: the account comes afterwards.
        let mut phone = Self::start_with("unused", "127.0.0.1", codec, tone(hz, RATE), ";regint=0")?;
        let codec = codec.name();
        let account = format!(
            "<sip:{number}@{registrar}>;regint=600;auth_pass={password};audio_codecs={codec};dtmfmode=rtpevent{more}"
        );
        phone.command("uanew", &account)?;
        Ok(phone)
    }

    fn start_with(
        number: &str,
        domain: &str,
        codec: Codec,
        sound: impl Iterator<Item = f32>,
        more: &str,
    ) -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, number, domain, codec, sound, more, "")
    }

    fn start_in(
        folder: TempDir,
        number: &str,
        domain: &str,
        codec: Codec,
        sound: impl Iterator<Item = f32>,
        more: &str,
        video: &str,
    ) -> Result<Self> {
        let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        write_sound(&folder.path().join("tone.wav"), sound, RATE)?;
        fs::write(folder.path().join("config"), config(folder.path(), control)? + video)?;
        let account = format!("<sip:{number}@{domain}>;audio_codecs={};dtmfmode=rtpevent{more}\n", codec.name());
        fs::write(folder.path().join("accounts"), account)?;
        fs::write(folder.path().join("contacts"), "")?;
        let log = fs::File::create(folder.path().join("log"))?;
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("baresip doesn't start; scripts/setup.sh test installs it")?;
        let control = connect(control)?;
        Ok(Self { child, folder, control, unread: String::new() })
    }

    /// A room system: it speaks PCMA, and shows a picture of this colour (`0xrrggbb`) in one of its two formats.
    pub fn start_room(number: &str, format: &str, colour: &str, more: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let picture = folder.path().join("picture.mp4");
        let film = format!("color=c={colour}:size=640x360:rate=15:duration=20");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", &film, "-c:v", "libx264", "-pix_fmt", "yuv420p"])
            .arg(&picture)
            .status()
            .context("ffmpeg doesn't start; scripts/setup.sh test installs it")?;
        if !made.success() {
            bail!("there is no picture");
        }
        let video = format!(
            "module avcodec.so\nmodule avformat.so\nmodule vp8.so\nmodule fakevideo.so\nmodule snapshot.so\nvideo_source avformat,{}\nvideo_display fakevideo\nvideo_size 640x360\n\
             video_bitrate 600000\nvideo_fps 15\n",
            picture.display()
        );
        let more = format!(";regint=0;video_codecs={format}{more}");
        Self::start_in(folder, number, "127.0.0.1", Codec::Pcma, tone(900.0, RATE), &more, &video)
    }

    /// Waits until the picture that a room system receives has this colour, all in all.
    pub fn see_colour(&mut self, colour: Colour) -> Result<()> {
        self.see_such(&format!("{colour:?}"), |seen| colour.is(seen))
    }

    /// Waits until the mean colour of what it receives is as wished.
    pub fn see_such(&mut self, what: &str, wish: impl Fn([f32; 3]) -> bool) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut last = None;
        while Instant::now() < deadline {
            last = self.seen()?;
            if last.is_some_and(&wish) {
                return Ok(());
            }
        }
        bail!("the room sees {last:?}, not {what}")
    }

    /// Keeps the picture that a room system receives, for people to look at.
    pub fn snapshot(&mut self, path: &Path) -> Result<()> {
        self.command("snapshot_recv", &path.display().to_string())?;
        self.talk(Duration::from_millis(500))
    }

    /// The mean colour of what a room system receives now; none while nothing comes.
    fn seen(&mut self) -> Result<Option<[f32; 3]>> {
        let path = self.folder.path().join("seen.png");
        let _ = fs::remove_file(&path);
        self.snapshot(&path)?;
        let decoded = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(&path)
            .args(["-vf", "scale=1:1:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
            .output()
            .context("ffmpeg doesn't start; scripts/setup.sh test installs it")?;
        // It is written while the phone goes on: a part of a file is none yet.
        let [red, green, blue] = decoded.stdout[..] else { return Ok(None) };
        Ok(Some([red, green, blue].map(f32::from)))
    }

    fn command(&mut self, command: &str, params: &str) -> Result<()> {
        let text = format!(r#"{{"command":"{command}","params":"{params}"}}"#);
        Ok(write!(self.control, "{}:{text},", text.len())?)
    }

    /// Waits until the phone tells an event of this type, 30 s at most.
    pub fn wait_for(&mut self, event: &str) -> Result<()> {
        let wanted = format!(r#""type":"{event}""#);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.unread.find(&wanted) {
                self.unread.drain(..at + wanted.len());
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("no {event}; heard of {}", self.unread);
            }
            self.control.set_read_timeout(Some(left))?;
            let mut buffer = [0; 4096];
            match self.control.read(&mut buffer) {
                Ok(0) => bail!("the phone is gone"),
                Ok(len) => self.unread.push_str(&String::from_utf8_lossy(&buffer[..len])),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Calls and waits for the answer.
    pub fn dial(&mut self, user: &str, server: SocketAddr, transport: &str) -> Result<()> {
        self.command("dial", &format!("sip:{user}@{server};transport={transport}"))?;
        self.wait_for("CALL_ESTABLISHED")
    }

    /// Waits until it rings, and takes the call.
    pub fn take_call(&mut self) -> Result<()> {
        self.wait_for("CALL_INCOMING")?;
        self.command("accept", "")?;
        self.wait_for("CALL_ESTABLISHED")
    }

    /// Waits until it rings, and refuses the call.
    pub fn refuse_call(&mut self) -> Result<()> {
        self.wait_for("CALL_INCOMING")?;
        self.command("hangup", "")
    }

    /// Presses keys, as fast as fingers do.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string())?;
            // The phone sends each key for so long; the next one would cut it off.
            self.talk(Duration::from_millis(300))?;
        }
        Ok(())
    }

    /// Puts the call on hold, or goes on with it.
    pub fn hold(&mut self, on: bool) -> Result<()> {
        self.command(if on { "hold" } else { "resume" }, "")
    }

    /// Lets the call go on: sound needs its time.
    pub fn talk(&mut self, duration: Duration) -> Result<()> {
        let deadline = Instant::now() + duration;
        let mut buffer = [0; 4096];
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.control.set_read_timeout(Some(left))?;
            match self.control.read(&mut buffer) {
                Ok(0) => bail!("the phone is gone"),
                Ok(len) => self.unread.push_str(&String::from_utf8_lossy(&buffer[..len])),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Keys the meeting's password as the voice menu asks for it, in English.
    pub fn enter(&mut self, password: &str) -> Result<()> {
        self.press(&format!("2{password}#"))
    }

    /// Waits until the first of the call's sound has come.
    pub fn wait_for_sound(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.recording().and_then(|path| Ok(fs::metadata(path)?.len())).unwrap_or(0) <= HEADER as u64 {
            if Instant::now() > deadline {
                bail!("the phone hears nothing");
            }
            self.talk(Duration::from_millis(5))?;
        }
        Ok(())
    }

    /// Waits until a tone is heard, for so long at most.
    pub fn wait_to_hear(&mut self, hz: f32, within: Duration) -> Result<()> {
        until_heard(hz, within, |seconds| self.listen(seconds))
    }

    /// Listens for so long, in the middle of a call.
    pub fn listen(&mut self, seconds: f32) -> Result<Heard> {
        let path = self.recording()?;
        let spec = hound::WavReader::open(&path)?.spec();
        listen(&path, spec.sample_rate, spec.channels, seconds)
    }

    /// The newest: after a hold another is begun.
    fn recording(&self) -> Result<PathBuf> {
        let mut recordings = Vec::new();
        for entry in fs::read_dir(self.folder.path())? {
            let entry = entry?;
            if entry.path().to_string_lossy().ends_with("-dec.wav") {
                recordings.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        recordings.into_iter().max().map(|(_, path)| path).context("the phone wrote nothing down")
    }

    /// Hangs up; what was heard since the answer.
    pub fn hang_up(mut self) -> Result<Heard> {
        self.command("hangup", "")?;
        self.heard()
    }

    /// What was heard in a call that has ended.
    pub fn heard(mut self) -> Result<Heard> {
        self.talk(Duration::from_millis(300))?;
        self.command("quit", "")?;
        self.child.wait()?;
        read(&self.recording()?)
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        last_words("a telephone", &format!("{log}\nevents not waited for: {}", self.unread));
    }
}

/// Long enough for any test.
const SOUND_SECONDS: usize = 90;

/// At 0.2 of full scale.
fn tone(hz: f32, rate: u32) -> impl Iterator<Item = f32> {
    sine(hz, 0.2, rate, SOUND_SECONDS * rate as usize).into_iter()
}

pub(crate) fn write_tone(path: &Path, hz: f32, rate: u32) -> Result<()> {
    write_sound(path, tone(hz, rate), rate)
}

fn write_sound(path: &Path, sound: impl Iterator<Item = f32>, rate: u32) -> Result<()> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec)?;
    for sample in sound.take(SOUND_SECONDS * rate as usize) {
        file.write_sample((sample * 32_767.0) as i16)?;
    }
    Ok(file.finalize()?)
}

pub(crate) fn read(path: &Path) -> Result<Heard> {
    let mut reader = hound::WavReader::open(path)?;
    let spec = reader.spec();
    let all: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Int => {
            reader.samples::<i16>().map(|s| s.map(|s| f32::from(s) / 32_768.0)).collect::<Result<_, _>>()?
        }
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
    };
    // The left channel, at the tests' rate whatever the codec's.
    let mono: Vec<f32> = all.into_iter().step_by(usize::from(spec.channels)).collect();
    Ok(upsampled(mono.into_iter(), spec.sample_rate))
}

/// Listens in half seconds until a tone is heard.
pub(crate) fn until_heard(hz: f32, within: Duration, mut listen: impl FnMut(f32) -> Result<Heard>) -> Result<()> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if listen(0.5)?.tone(hz, 0.5) > 0.05 {
            return Ok(());
        }
    }
    bail!("{hz} Hz is never heard")
}

/// Waits until so much more is written to a recording; that.
pub(crate) fn listen(path: &Path, rate: u32, channels: u16, seconds: f32) -> Result<Heard> {
    let frame = usize::from(channels) * 2;
    let wanted = (seconds * rate as f32) as usize * frame;
    let begun = (fs::metadata(path)?.len() as usize).max(HEADER);
    let deadline = Instant::now() + Duration::from_secs(30);
    // The file's header is written at its end: until then its length tells how much there is.
    while (fs::metadata(path)?.len() as usize) < begun + wanted {
        if Instant::now() > deadline {
            bail!("the phone hears nothing more");
        }
        #[expect(clippy::disallowed_methods, reason = "a file that grows tells nobody")]
        std::thread::sleep(Duration::from_millis(20));
    }
    let bytes = fs::read(path)?;
    let whole = HEADER + (bytes.len() - HEADER) / frame * frame;
    let frames = bytes[whole - wanted..whole].chunks_exact(frame);
    let left = frames.map(|frame| f32::from(i16::from_le_bytes([frame[0], frame[1]])) / 32_768.0);
    Ok(upsampled(left, rate))
}

pub(crate) fn upsampled(samples: impl Iterator<Item = f32>, rate: u32) -> Heard {
    let ratio = (RATE / rate) as usize;
    Heard::new(samples.flat_map(|sample| std::iter::repeat_n(sample, ratio)))
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > deadline => return Err(error).context("baresip's control port"),
            Err(_) => std::thread::yield_now(),
        }
    }
}

fn config(folder: &Path, control: SocketAddr) -> Result<String> {
    let folder = folder.display();
    let mut text = format!(
        "poll_method epoll\nnet_interface 127.0.0.1\nsip_listen 127.0.0.1:0\naudio_source aufile,{folder}/tone.wav\n\
         audio_player aufile,{folder}/player.wav\nausrc_srate 48000\nauplay_srate 48000\nausrc_channels 1\n\
         auplay_channels 1\nopus_bitrate 32000\nctrl_tcp_listen {control}\nsnd_path {folder}\n\
         module_path /usr/lib/baresip/modules\n"
    );
    for module in ["opus", "g711", "g722", "aufile", "sndfile", "srtp", "dtls_srtp"] {
        writeln!(text, "module {module}.so")?;
    }
    for module in ["account", "menu", "ctrl_tcp"] {
        writeln!(text, "module_app {module}.so")?;
    }
    Ok(text)
}
