//! PJSIP, the second independent telephone: another stack of signalling, another clock, other keys.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{Heard, baresip};

const RATE: u32 = 8_000;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One phone. It speaks G.711.
pub struct Pjsua {
    child: Child,
    commands: Option<ChildStdin>,
    said: Receiver<String>,
    heard: PathBuf,
    _folder: TempDir,
}

impl Pjsua {
    /// A phone with a number and a tone.
    pub fn start(number: &str, hz: f32) -> Result<Self> {
        Self::start_encrypted(number, hz, "none")
    }

    /// One whose sound is encrypted: `sdes` always, `either` where the other side can.
    pub fn start_encrypted(number: &str, hz: f32, encryption: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (tone, heard) = (folder.path().join("tone.wav"), folder.path().join("heard.wav"));
        baresip::write_tone(&tone, hz, RATE)?;
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(tests.join(".venv/bin/python"))
            .arg(tests.join("python/pjsua.py"))
            .arg(number)
            .args([&tone, &heard])
            .arg(encryption)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("PJSIP doesn't start; scripts/setup.sh test installs it")?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let (lines, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let commands = child.stdin.take();
        let mut phone = Self { child, commands, said, heard, _folder: folder };
        phone.wait_for("ready")?;
        Ok(phone)
    }

    fn command(&mut self, command: &str) -> Result<()> {
        Ok(writeln!(self.commands.as_mut().context("it has ended")?, "{command}")?)
    }

    /// Waits until the phone says this; the rest of its words.
    pub fn wait_for(&mut self, word: &str) -> Result<String> {
        loop {
            let line = self.said.recv_timeout(PATIENCE).with_context(|| format!("never {word}"))?;
            if let Some(rest) = line.strip_prefix(word) {
                return Ok(rest.trim().to_owned());
            }
        }
    }

    /// Calls and waits for the answer.
    pub fn dial(&mut self, user: &str, server: SocketAddr, transport: &str) -> Result<()> {
        self.command(&format!("dial sip:{user}@{server};transport={transport}"))?;
        self.wait_for("established").map(drop)
    }

    /// Its calls from now on end unless they are refreshed so often (RFC 4028), which it does.
    pub fn refresh_each(&mut self, seconds: u32) -> Result<()> {
        self.command(&format!("session {seconds}"))
    }

    /// Is from now on where a registrar finds it, and takes each call. Whether by the flow it registered by (RFC 5626).
    pub fn register(&mut self, registrar: &str, user: &str, password: &str) -> Result<bool> {
        self.command(&format!("register {registrar} {user} {password}"))?;
        let said = self.wait_for("registered")?;
        if !said.starts_with("200") {
            bail!("not registered: {said}");
        }
        Ok(said.ends_with("outbound"))
    }

    /// Presses keys; the phone sends them one after the other.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.command(&format!("press {keys}"))
    }

    /// Presses keys by SIP INFO instead.
    pub fn press_by_info(&mut self, keys: &str) -> Result<()> {
        self.command(&format!("info {keys}"))
    }

    /// Has itself put through to somebody (REFER).
    pub fn refer(&mut self, uri: &str) -> Result<()> {
        self.command(&format!("refer {uri}"))
    }

    /// Listens for so long, in the middle of a call.
    pub fn listen(&mut self, seconds: f32) -> Result<Heard> {
        baresip::listen(&self.heard, RATE, 1, seconds)
    }

    /// Waits until a tone is heard: keys and voice menu take their time.
    pub fn wait_to_hear(&mut self, hz: f32) -> Result<()> {
        baresip::until_heard(hz, PATIENCE, |seconds| self.listen(seconds))
    }

    /// Hangs up; what was heard since the answer.
    pub fn hang_up(mut self) -> Result<Heard> {
        self.command("hangup")?;
        self.wait_for("closed")?;
        self.heard()
    }

    /// What was heard in a call that has ended.
    pub fn heard(mut self) -> Result<Heard> {
        drop(self.commands.take());
        let status = self.child.wait()?;
        if !status.success() {
            bail!("PJSIP ended with {status}");
        }
        baresip::read(&self.heard)
    }
}

impl Drop for Pjsua {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
