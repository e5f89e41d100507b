//! moto, an S3 server of somebody else's making.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::server::{free, python};

/// One S3 server with an empty bucket, in memory.
pub struct S3 {
    child: Child,
    pub address: SocketAddr,
}

impl S3 {
    pub const BUCKET: &str = "films";

    /// Where one can be started later, with nobody there.
    pub fn place() -> Result<SocketAddr> {
        free(1)
    }

    /// Starts one there.
    pub fn start_at(address: SocketAddr) -> Result<Self> {
        let mut child = python()
            .args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("moto doesn't start; scripts/setup.sh test installs it")?;
        let said = child.stderr.take().context("its words are piped")?;
        let (told, running) = std::sync::mpsc::channel();
        // Read to its end, so that it never waits for us.
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                // Told once, nobody listens any more.
                let _ = line.contains("Running on").then(|| told.send(()));
            }
        });
        let server = Self { child, address };
        running.recv_timeout(std::time::Duration::from_secs(60)).context("moto doesn't run")?;
        Ok(server)
    }

    /// Makes the bucket.
    pub async fn make_bucket(&self) -> Result<()> {
        let made = self.ask(reqwest::Method::PUT).await?;
        if !made.status().is_success() {
            bail!("no bucket: {}", made.status());
        }
        Ok(())
    }

    /// The names of all that is in the bucket.
    pub async fn names(&self) -> Result<Vec<String>> {
        let listed = self.ask(reqwest::Method::GET).await?.text().await?;
        let names = listed.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        Ok(names.map(str::to_owned).collect())
    }

    async fn ask(&self, method: reqwest::Method) -> Result<reqwest::Response> {
        let url = format!("http://{}/{}", self.address, Self::BUCKET);
        Ok(crate::http().request(method, url).send().await?)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
