//! An encoder by WHIP and a viewer by WHEP, of somebody else's making (aiortc).

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

/// How long anything may take; the program itself waits for less.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of each, in one program.
pub struct Aiortc {
    child: Child,
    commands: ChildStdin,
    said: Receiver<String>,
}

impl Aiortc {
    pub fn start() -> Result<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(tests.join(".venv/bin/python"))
            .arg(tests.join("python/whip.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("aiortc doesn't start; scripts/setup.sh test installs it")?;
        let commands = child.stdin.take().context("its input is piped")?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let (lines, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let client = Self { child, commands, said };
        client.answer()?;
        Ok(client)
    }

    fn answer(&self) -> Result<String> {
        self.said.recv_timeout(PATIENCE).context("the client does not answer")
    }

    /// What it says to a command of `tests/python/whip.py`.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.commands, "{command}")?;
        let answer = self.answer()?;
        ensure!(!answer.starts_with("failed"), "{command}: {answer}");
        Ok(answer)
    }

    /// How loud tones were in a second that the viewer heard, full scale 1.
    pub fn hear(&mut self, tones: &[f32]) -> Result<Vec<f32>> {
        let tones: Vec<_> = tones.iter().map(f32::to_string).collect();
        let heard = self.ask(&format!("hear {}", tones.join(" ")))?;
        heard.split(' ').map(|level| Ok(level.parse()?)).collect()
    }
}

impl Drop for Aiortc {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
