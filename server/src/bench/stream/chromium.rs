//! A Chromium without a window, spoken to over a pipe in the DevTools protocol: enough of it to open a page and ask it
//! something.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Names a browser goes by, the first that is there is taken. `CHROMIUM` names another.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Without a window, sound or talk with its maker; sound may begin by itself.
const ARGUMENTS: &str = "--headless=new --no-sandbox --disable-gpu --mute-audio --no-first-run --disable-sync \
    --disable-background-networking --disable-component-update --autoplay-policy=no-user-gesture-required \
    --remote-debugging-pipe";

/// One browser with at most one page that is asked.
pub(super) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    calls: u64,
    session: Option<String>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it with a profile of its own.
    pub(super) fn start() -> anyhow::Result<Self> {
        let program = std::env::var("CHROMIUM").ok().or_else(installed).context("there is no Chromium")?;
        let profile = tempfile::tempdir()?;
        // The protocol is spoken on descriptors 3 and 4, which a shell can hand over.
        let script =
            format!("exec \"$0\" {ARGUMENTS} --user-data-dir=\"$1\" about:blank 3<&0 4>&1 </dev/null >/dev/null");
        let mut child = Command::new("sh")
            .args(["-c", &script, &program])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let to = child.stdin.take().context("its input is piped")?;
        let from = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut browser = Self { child, to, from, calls: 0, session: None, _profile: profile };
        browser.call("Browser.getVersion", &json!({}))?;
        Ok(browser)
    }

    /// Opens an address in a page of its own.
    pub(super) fn open(&mut self, url: &str) -> anyhow::Result<()> {
        self.session = None;
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}))?;
        let target = self.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}))?;
        self.session = target["sessionId"].as_str().map(str::to_owned);
        self.call("Page.enable", &json!({}))?;
        let size = json!({"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &size)?;
        self.call("Page.navigate", &json!({"url": url})).map(drop)
    }

    /// What a promise in the page comes to.
    pub(super) fn evaluate(&mut self, expression: &str) -> anyhow::Result<Value> {
        let call = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", &call)?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            bail!("the page throws {thrown}");
        }
        Ok(answer["result"]["value"].take())
    }

    fn call(&mut self, method: &str, parameters: &Value) -> anyhow::Result<Value> {
        self.calls += 1;
        let mut call = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.to.write_all(call.to_string().as_bytes())?;
        self.to.write_all(&[0])?;
        self.to.flush()?;
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes)?;
            if bytes.pop() != Some(0) {
                bail!("the browser is gone");
            }
            let mut said: Value = serde_json::from_slice(&bytes)?;
            if said["id"].as_u64() != Some(self.calls) {
                continue;
            }
            if let Some(error) = said.get("error") {
                bail!("{method} is answered by {error}");
            }
            return Ok(said["result"].take());
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends all its processes itself where it is asked to.
        let _asked = self.call("Browser.close", &json!({}));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn installed() -> Option<String> {
    let folders = std::env::var_os("PATH")?;
    let found = |name: &&str| std::env::split_paths(&folders).any(|folder| folder.join(name).is_file());
    PROGRAMS.iter().find(|name| found(name)).map(|name| (*name).to_owned())
}
