//! Browsers, headless: Chromium with a camera that shows one colour and a microphone that hears one tone, and Firefox with its own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Heard, baresip};

const RATE: u32 = 48_000;

/// What browsers are set to, unless a story is about that.
const ENGLISH: &str = "en-US";

/// What the camera shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Red,
    Green,
    Blue,
}

impl Colour {
    /// Y', Cb, Cr of BT.601.
    fn yuv(self) -> [u8; 3] {
        match self {
            Self::Red => [81, 90, 240],
            Self::Green => [145, 54, 34],
            Self::Blue => [41, 240, 110],
        }
    }

    /// Whether a mean colour is this one: its own channel leads the others by far.
    pub fn is(self, [red, green, blue]: [f32; 3]) -> bool {
        let (own, others) = match self {
            Self::Red => (red, green.max(blue)),
            Self::Green => (green, red.max(blue)),
            Self::Blue => (blue, red.max(green)),
        };
        own > others + 80.0
    }
}

/// What the browser's machine has, and whether pages get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// A camera and a microphone.
    All,
    /// Neither.
    None,
    /// A microphone alone.
    NoCamera,
    /// Two of each, and two loudspeakers.
    Two,
    /// Neither, and pages may play nothing before somebody has touched them.
    Silent,
    /// Both, but the browser gives them to nobody.
    Forbidden,
    /// Both, in a telephone of 390 by 844 pixels: what is clicked is tapped, what is dragged is drawn with a finger.
    Phone,
}

impl Devices {
    /// What `bot.mjs` calls Chromium with them.
    fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::None => "none",
            Self::NoCamera => "no-camera",
            Self::Two => "two",
            Self::Silent => "silent",
            Self::Forbidden => "forbidden",
            Self::Phone => "phone",
        }
    }
}

/// One browser with one page.
pub struct Browser {
    child: Child,
    /// None when it is over.
    calls: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Browser {
    /// Starts one; `hz` is what its microphone hears, at 0.2 of full scale.
    pub fn start(hz: f32, colour: Colour) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let picture = folder.path().join("picture.y4m");
        write_picture(&picture, colour)?;
        Self::start_with(hz, &picture, folder)
    }

    /// Starts one on a machine that has less; a microphone it has hears a tone.
    pub fn start_on(devices: Devices) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (picture, sound) = (folder.path().join("picture.y4m"), folder.path().join("tone.wav"));
        write_picture(&picture, Colour::Blue)?;
        baresip::write_tone(&sound, 700.0, RATE)?;
        Self::launch(&sound, &picture, [devices.as_str(), ENGLISH], folder)
    }

    /// Starts one whose camera shows this film (Y4M).
    pub fn start_with(hz: f32, picture: &Path, folder: TempDir) -> Result<Self> {
        Self::start_reading(ENGLISH, hz, picture, folder)
    }

    /// The same on a machine that is set to another language.
    pub fn start_reading(language: &str, hz: f32, picture: &Path, folder: TempDir) -> Result<Self> {
        let tone = folder.path().join("tone.wav");
        baresip::write_tone(&tone, hz, RATE)?;
        Self::launch(&tone, picture, [Devices::All.as_str(), language], folder)
    }

    /// Starts one whose microphone hears this recording (WAV at 48 kHz) over and over, and whose camera shows this film.
    pub fn start_hearing(sound: &Path, picture: &Path, folder: TempDir) -> Result<Self> {
        Self::launch(sound, picture, [Devices::All.as_str(), ENGLISH], folder)
    }

    /// Firefox, whose microphone hears `hz` and whose camera changes its colour all the time. It has no use for addresses of the machine
    /// alone: the server must be had at another.
    pub fn firefox(hz: u32) -> Result<Self> {
        Self::launch(Path::new(&hz.to_string()), Path::new(""), ["firefox", ENGLISH], tempfile::tempdir()?)
    }

    fn launch(tone: &Path, picture: &Path, kind: [&str; 2], folder: TempDir) -> Result<Self> {
        let bot = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/bot.mjs");
        let mut child = Command::new("node")
            .arg(bot)
            .args([tone, picture])
            .args(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node doesn't start; scripts/setup.sh test installs it")?;
        let calls = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut browser = Self { child, calls, answers, _folder: folder };
        browser.answer().context("the browser doesn't start; scripts/setup.sh test installs it")?;
        Ok(browser)
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the browser is gone");
        }
        let mut answer: Value = serde_json::from_str(&line)?;
        match answer["error"].as_str() {
            Some(error) => bail!("{error}"),
            None => Ok(answer["answer"].take()),
        }
    }

    fn call(&mut self, call: &str, args: &Value) -> Result<Value> {
        let calls = self.calls.as_mut().context("its input is piped")?;
        writeln!(calls, "{}", json!({"call": call, "args": args}))?;
        self.answer().with_context(|| format!("{call} {args}"))
    }

    pub fn open(&mut self, url: &str) -> Result<()> {
        self.call("open", &json!([url])).map(drop)
    }

    /// Clicks what carries this test id.
    pub fn click(&mut self, id: &str) -> Result<()> {
        self.call("click", &json!([by_id(id)])).map(drop)
    }

    /// Clicks the first thing of the kind, by CSS.
    pub fn click_at(&mut self, selector: &str) -> Result<()> {
        self.call("click", &json!([selector])).map(drop)
    }

    pub fn fill(&mut self, id: &str, text: &str) -> Result<()> {
        self.call("fill", &json!([by_id(id), text])).map(drop)
    }

    /// Chooses an option of a list by its value.
    pub fn choose(&mut self, id: &str, value: &str) -> Result<()> {
        self.call("choose", &json!([by_id(id), value])).map(drop)
    }

    /// Presses the mouse at one place of something and lets go at another: shares of its width and height.
    pub fn drag(&mut self, selector: &str, from: (f32, f32), to: (f32, f32)) -> Result<()> {
        self.call("drag", &json!([selector, from, to])).map(drop)
    }

    /// Puts a file into a field for files, by CSS.
    pub fn upload(&mut self, selector: &str, path: &Path) -> Result<()> {
        self.call("upload", &json!([selector, path])).map(drop)
    }

    /// Clicks what hands out a file, by CSS, and keeps the file; the name it was given.
    pub fn download(&mut self, selector: &str, path: &Path) -> Result<String> {
        Ok(self.call("download", &json!([selector, path]))?.as_str().unwrap_or_default().to_owned())
    }

    /// Types into what has the focus.
    pub fn type_text(&mut self, text: &str) -> Result<()> {
        self.call("type", &json!([text])).map(drop)
    }

    /// Runs this in every page from now on, before its own scripts.
    pub fn before_each_page(&mut self, script: &str) -> Result<()> {
        self.call("before", &json!([script])).map(drop)
    }

    /// Lets pages have what the browser kept from them, as by the sign beside the address.
    pub fn allow(&mut self, what: &[&str]) -> Result<()> {
        self.call("allow", &json!([what])).map(drop)
    }

    /// Opens another tab of the same browser and looks at it.
    pub fn new_tab(&mut self) -> Result<()> {
        self.call("newTab", &json!([])).map(drop)
    }

    /// Looks at one of the tabs, counted from 0.
    pub fn show_tab(&mut self, at: usize) -> Result<()> {
        self.call("showTab", &json!([at])).map(drop)
    }

    /// Fetches the page anew.
    pub fn reload(&mut self) -> Result<()> {
        self.call("reload", &json!([])).map(drop)
    }

    /// Presses a key, as Playwright names it.
    pub fn press(&mut self, key: &str) -> Result<()> {
        self.call("press", &json!([key])).map(drop)
    }

    /// Holds a key down; held already, it repeats.
    pub fn key_down(&mut self, key: &str) -> Result<()> {
        self.call("keyDown", &json!([key])).map(drop)
    }

    pub fn key_up(&mut self, key: &str) -> Result<()> {
        self.call("keyUp", &json!([key])).map(drop)
    }

    /// What axe-core has against the page: its serious and critical findings.
    pub fn axe(&mut self) -> Result<Vec<String>> {
        self.axe_of(&[])
    }

    /// The same by these of its rules alone; by all where none is named.
    pub fn axe_of(&mut self, rules: &[&str]) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.call("axe", &json!([rules]))?)?)
    }

    /// Waits until something is to be seen, by CSS.
    pub fn see(&mut self, selector: &str) -> Result<()> {
        self.call("see", &json!([selector])).map(drop)
    }

    /// Waits until nothing of the kind is to be seen.
    pub fn miss(&mut self, selector: &str) -> Result<()> {
        self.call("miss", &json!([selector])).map(drop)
    }

    pub fn text(&mut self, selector: &str) -> Result<String> {
        Ok(self.call("text", &json!([selector]))?.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until an expression of JavaScript holds in the page.
    pub fn until(&mut self, expression: &str) -> Result<()> {
        self.call("until", &json!([expression])).map(drop)
    }

    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        self.call("evaluate", &json!([expression]))
    }

    /// Where the livestream of the meeting that the page is in is watched, once that is known.
    pub fn watch_address(&mut self) -> Result<String> {
        self.until("document.querySelector('[data-testid=watch-link]') !== null")?;
        let link = self.evaluate("document.querySelector('[data-testid=watch-link]').href")?;
        Ok(link.as_str().context("an address")?.to_owned())
    }

    /// Cuts the network off, or gives it back.
    pub fn set_offline(&mut self, on: bool) -> Result<()> {
        self.call("offline", &json!([on])).map(drop)
    }

    /// Listens to all that the page plays.
    pub fn hear(&mut self, seconds: u32) -> Result<Heard> {
        let samples: Vec<i16> = serde_json::from_value(self.call("hear", &json!([seconds]))?)?;
        Ok(Heard::new(samples.into_iter().map(|sample| f32::from(sample) / 32_768.0)))
    }

    /// Waits until a tone is heard: on a busy machine sound begins later than pictures at times.
    pub fn wait_to_hear(&mut self, hz: f32) -> Result<()> {
        baresip::until_heard(hz, Duration::from_secs(30), |_| self.hear(1))
    }

    /// The mean colour of a playing picture's middle; none while nothing plays.
    pub fn colour(&mut self, selector: &str) -> Result<Option<[f32; 3]>> {
        Ok(serde_json::from_value(self.call("colour", &json!([selector]))?)?)
    }

    /// Waits until a picture shows this colour.
    pub fn see_colour(&mut self, selector: &str, colour: Colour) -> Result<()> {
        self.see_such(selector, &format!("{colour:?}"), |seen| colour.is(seen))
    }

    /// Waits until a picture's colour has changed: one that stands still never does.
    pub fn see_change(&mut self, selector: &str) -> Result<()> {
        let mut first = None;
        self.see_such(selector, "another", |seen| {
            let first = *first.get_or_insert(seen);
            seen.iter().zip(first).any(|(now, before)| (now - before).abs() > 24.0)
        })
    }

    fn see_such(&mut self, selector: &str, what: &str, mut wish: impl FnMut([f32; 3]) -> bool) -> Result<()> {
        self.see(selector)?;
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut last = None;
        while Instant::now() < deadline {
            last = self.colour(selector)?;
            if last.is_some_and(&mut wish) {
                return Ok(());
            }
        }
        let stats = self.evaluate("window.huitong?.getStats()")?;
        bail!("{selector} shows {last:?}, not {what}; {stats}")
    }

    /// Keeps what is on the screen, for people to look at.
    pub fn screenshot(&mut self, path: &Path) -> Result<()> {
        self.call("screenshot", &json!([path])).map(drop)
    }

    pub fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        self.call("size", &json!([width, height])).map(drop)
    }

    /// Is pointed at with a finger, as a telephone is.
    pub fn set_finger(&mut self, on: bool) -> Result<()> {
        self.call("finger", &json!([on])).map(drop)
    }

    /// Is in this time zone from now on; the machine's own where it is empty.
    pub fn set_zone(&mut self, zone: &str) -> Result<()> {
        self.call("zone", &json!([zone])).map(drop)
    }

    pub fn set_dark(&mut self, on: bool) -> Result<()> {
        self.call("dark", &json!([on])).map(drop)
    }

    /// What the page wrote to its console, errors thrown included.
    pub fn said(&mut self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.call("said", &json!([]))?)?)
    }

    /// Comes into a meeting by its number.
    pub fn join(&mut self, web: std::net::SocketAddr, number: &str, name: &str, password: &str) -> Result<()> {
        self.open(&format!("http://{web}/j/{number}"))?;
        self.enter(name, password)
    }

    /// To the pre-join page: by the form of the meeting's page, or straight where the link and the browser say all.
    pub fn to_mirror(&mut self, name: &str, password: &str) -> Result<()> {
        self.until("document.querySelector('[data-testid=join-name], [data-testid=prejoin-name]') !== null")?;
        if self.evaluate("document.querySelector('[data-testid=join-name]') !== null")? == true {
            self.fill("join-name", name)?;
            if !password.is_empty() {
                self.fill("join-password", password)?;
            }
            self.click("join-submit")?;
        }
        self.fill("prejoin-name", name)
    }

    /// Goes in by the meeting's page.
    pub fn enter(&mut self, name: &str, password: &str) -> Result<()> {
        self.to_mirror(name, password)?;
        self.click("prejoin-join")?;
        self.see(&by_id("room"))?;
        self.until("window.huitong?.state.sending && window.huitong.state.receiving")
    }

    /// Logs in at the start page.
    pub fn login(&mut self, web: std::net::SocketAddr, name: &str, password: &str) -> Result<()> {
        self.open(&format!("http://{web}/"))?;
        self.fill("login-name", name)?;
        self.fill("login-password", password)?;
        self.click("login-submit")?;
        self.see(&by_id("account-menu"))?;
        // 忽略: until the next login.
        if self.evaluate("document.querySelector('[data-testid=account-menu]').dataset.initial")? == "true" {
            self.click("ignore-password")?;
            self.miss(&by_id("initial-password"))?;
        }
        Ok(())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The bot ends with its input, and the browser with it, soon (`bot.mjs`). That it does not is no failure of the test.
        drop(self.calls.take());
        let _ = self.child.wait();
    }
}

/// A selector of what carries a test id.
pub fn by_id(id: &str) -> String {
    format!("[data-testid={id}]")
}

fn write_picture(path: &Path, colour: Colour) -> Result<()> {
    const WIDTH: usize = 640;
    const HEIGHT: usize = 360;
    let [luma, cb, cr] = colour.yuv();
    let mut file = b"YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C420mpeg2\n".to_vec();
    for _ in 0..30 {
        file.extend_from_slice(b"FRAME\n");
        file.resize(file.len() + WIDTH * HEIGHT, luma);
        file.resize(file.len() + WIDTH * HEIGHT / 4, cb);
        file.resize(file.len() + WIDTH * HEIGHT / 4, cr);
    }
    Ok(fs::write(path, file)?)
}
