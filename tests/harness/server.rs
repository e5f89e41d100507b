//! The real `huitong serve --demo`, on free ports, with its data in a folder of its own.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    ops::Range,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::Disk;

/// How long a start may take: a debug build on a loaded machine hashes two passwords in it.
const START: Duration = Duration::from_secs(60);

/// For as many legs as half of them.
const RTP_PORTS: u16 = 200;

/// How long something that has happened may take to be in the log.
const LOGGED: Duration = Duration::from_secs(10);

/// Shown of a log where a test has failed.
const LAST_LINES: usize = 80;

/// A running server.
pub struct Server {
    child: Child,
    folder: TempDir,
    environment: Vec<(String, String)>,
    pub web: SocketAddr,
    pub sip: SocketAddr,
    pub sips: SocketAddr,
    pub https: SocketAddr,
    pub webrtc: SocketAddr,
    pub metrics: SocketAddr,
    pub rtp_first: u16,
    pub meeting: String,
    pub password: String,
}

impl Server {
    /// Starts one with fresh data.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one with more in its environment.
    pub fn start_with(environment: &[(&str, &str)]) -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, environment)
    }

    /// Starts one whose data are on this disk, which is to outlive it.
    pub fn start_on(disk: &Disk) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::os::unix::fs::symlink(disk.path(), folder.path().join("data"))?;
        Self::start_in(folder, &[])
    }

    /// Starts one that may have so many descriptors: the soft limit and the hard one, as `prlimit` has them.
    pub fn start_with_descriptors(limit: &str) -> Result<Self> {
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--nofile={limit}")).arg(command()?.get_program());
        Self::start_by(limited, tempfile::tempdir()?, &[])
    }

    fn start_in(folder: TempDir, environment: &[(&str, &str)]) -> Result<Self> {
        Self::start_by(command()?, folder, environment)
    }

    fn start_by(mut program: Command, folder: TempDir, environment: &[(&str, &str)]) -> Result<Self> {
        let (web, https, sip, sips, webrtc, metrics) = (free(1)?, free(1)?, free(1)?, free(1)?, free(1)?, free(1)?);
        let rtp_first = free(RTP_PORTS)?.port();
        let own = [
            ("HUITONG_WEB__HTTP", web.to_string()),
            ("HUITONG_WEB__HTTPS", https.to_string()),
            ("HUITONG_WEB__RTMP", "[\"127.0.0.1:0\"]".to_owned()),
            // All telephones of a test are on one host.
            ("HUITONG_SIP__TRUSTED", "[\"127.0.0.1\"]".to_owned()),
            ("HUITONG_SIP__UDP", format!("[\"{sip}\"]")),
            ("HUITONG_SIP__TCP", format!("[\"{sip}\"]")),
            ("HUITONG_SIP__TLS", format!("[\"{sips}\"]")),
            ("HUITONG_MEDIA__WEBRTC", webrtc.to_string()),
            ("HUITONG_MEDIA__RTP_PORTS", format!("{rtp_first}-{}", rtp_first + RTP_PORTS - 1)),
            ("HUITONG_METRICS__BIND", metrics.to_string()),
            // All of them, however busy browsers and builds keep the machine.
            ("HUITONG_LIVESTREAM__CORES", std::thread::available_parallelism()?.to_string()),
            // Tests speak in steady tones, which are music to the one and noise to the other; the stories of both turn them on.
            ("HUITONG_MEDIA__MUTE_MUSIC", "false".to_owned()),
            ("HUITONG_MEDIA__DENOISE", "false".to_owned()),
            ("HUITONG_MEDIA__ECHO_GUARD", "false".to_owned()),
        ];
        let more = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let environment: Vec<_> = own.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(more).collect();
        let mut child = program
            .args(["serve", "--demo"])
            .current_dir(folder.path())
            .envs(environment.clone())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join("log"))?)
            .spawn()
            .context("the server doesn't start")?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let (lines, printed) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let mut server = Self {
            child,
            folder,
            environment,
            web,
            sip,
            sips,
            https,
            webrtc,
            metrics,
            rtp_first,
            meeting: String::new(),
            password: String::new(),
        };
        let deadline = Instant::now() + START;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line =
                printed.recv_timeout(left).with_context(|| format!("no greeting; its log:\n{}", server.log()))?;
            if let Some(rest) = line.trim().strip_prefix("Meeting") {
                let (number, password) = rest.split_once("password").context("number and password")?;
                server.meeting = number.replace(' ', "");
                password.trim().clone_into(&mut server.password);
            }
            if line.contains("Ctrl-C") {
                return Ok(server);
            }
        }
    }

    /// The certificate it made for itself.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("data/web-certificate.pem")
    }

    /// The names of all files it has written.
    pub fn file_names(&self) -> Result<Vec<String>> {
        let (mut folders, mut names) = (vec![self.folder.path().join("data")], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                names.push(entry.file_name().to_string_lossy().into_owned());
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        Ok(names)
    }

    /// All it has kept of what was signalled; what came within the last second may not be there yet.
    pub fn ladders(&self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.folder.path().join("data/ladders"))? {
            all.extend(std::fs::read(entry?.path())?);
        }
        Ok(all)
    }

    /// Waits until it has written so many bytes into a file whose name ends so.
    #[expect(clippy::disallowed_methods, reason = "a file tells nobody that it has grown")]
    pub fn wait_for_file(&self, ending: &str, bytes: u64) -> Result<()> {
        let deadline = Instant::now() + LOGGED;
        let folder = self.folder.path().join("data/recordings");
        let is_it = |entry: &std::fs::DirEntry| {
            entry.file_name().to_string_lossy().ends_with(ending)
                && entry.metadata().is_ok_and(|data| data.len() >= bytes)
        };
        while !std::fs::read_dir(&folder).is_ok_and(|entries| entries.flatten().any(|entry| is_it(&entry))) {
            if Instant::now() > deadline {
                bail!("no {ending} of {bytes} bytes; its log:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The sum of what it counts by this name with this in its labels; 0 where it has not counted yet.
    pub async fn counted(&self, name: &str, label: &str) -> Result<u64> {
        let page = crate::http().get(format!("http://{}/metrics", self.metrics)).send().await?.text().await?;
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = page.lines().filter(of_name).filter(|line| line.contains(label));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum::<f64>() as u64)
    }

    /// Waits until it counts that many.
    #[expect(clippy::disallowed_methods, reason = "a page tells nobody that it has changed")]
    pub fn until_counted(&self, name: &str, label: &str, count: u64) -> Result<()> {
        let deadline = Instant::now() + LOGGED;
        loop {
            let counted = tokio::runtime::Handle::current().block_on(self.counted(name, label))?;
            if counted == count {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{name} is {counted} and not {count}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until its log says something.
    #[expect(clippy::disallowed_methods, reason = "a file tells nobody that it has grown")]
    pub fn wait_for_log(&self, words: &str) -> Result<()> {
        let deadline = Instant::now() + LOGGED;
        while !self.log().contains(words) {
            if Instant::now() > deadline {
                bail!("its log doesn't say {words:?}:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Interrupts it as Ctrl-C does; how long it took to go.
    pub fn interrupt(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status()?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("it ended with {status}; its log:\n{}", self.log());
        }
        Ok(begun.elapsed())
    }

    /// Interrupts it and starts it again on the same data.
    pub fn restart(self) -> Result<Self> {
        self.restart_with(&[])
    }

    /// The same, with more in its environment.
    pub fn restart_with(mut self, environment: &[(&str, &str)]) -> Result<Self> {
        self.interrupt()?;
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir()?);
        Self::start_in(folder, environment)
    }

    /// Kills it, and starts it again on the same data.
    pub fn crash(mut self) -> Result<Self> {
        self.child.kill()?;
        self.start_again()
    }

    /// Kills it and its studios at once, and starts it again on the same data.
    pub fn cut_power(self) -> Result<Self> {
        let own = self.child.id().to_string();
        let studios = Command::new("pgrep").args(["-P", &own, "huitong-studio"]).output()?;
        let studios = String::from_utf8(studios.stdout)?;
        // It first: it is to hear nothing of their end.
        let killed = Command::new("kill").args(["-KILL", &own]).args(studios.split_whitespace()).status()?;
        if !killed.success() || studios.is_empty() {
            bail!("there was no studio: {killed}");
        }
        self.start_again()
    }

    fn start_again(mut self) -> Result<Self> {
        self.child.wait()?;
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir()?);
        Self::start_in(folder, &[])
    }

    /// Ends it and starts it with a copy of its database as its database.
    pub fn start_from(mut self, copy: &str) -> Result<Self> {
        self.interrupt()?;
        let data = self.folder.path().join("data");
        for suffix in ["", "-wal", "-shm"] {
            let file = data.join(format!("huitong.db{suffix}"));
            if file.exists() {
                std::fs::remove_file(file)?;
            }
        }
        std::fs::rename(self.folder.path().join(copy), data.join("huitong.db"))?;
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir()?);
        Self::start_in(folder, &[])
    }

    /// Ends it and writes nonsense into the middle of its database.
    pub fn damage(&mut self) -> Result<()> {
        use std::os::unix::fs::FileExt;
        self.interrupt()?;
        let file = std::fs::File::options().write(true).open(self.folder.path().join("data/huitong.db"))?;
        file.write_all_at(&[0xa5; 4_096], (file.metadata()?.len() / 2) & !4_095)?;
        Ok(())
    }

    /// Runs another of the program's commands on its data; what it said.
    pub fn command(&self, arguments: &[&str]) -> Result<std::process::Output> {
        self.command_with(arguments, &[])
    }

    /// The same with other settings.
    pub fn command_with(&self, arguments: &[&str], more: &[(&str, &str)]) -> Result<std::process::Output> {
        let (environment, more) = (self.environment.clone(), more.iter().copied());
        Ok(command()?.args(arguments).current_dir(self.folder.path()).envs(environment).envs(more).output()?)
    }

    /// As though a meeting that nobody has entered had been booked so much earlier that it ends after this.
    pub fn bring_end_near(&self, meeting: &str, left: Duration) -> Result<()> {
        const SCRIPT: &str = "import sqlite3, sys, time
path, meeting, left_ms = sys.argv[1], sys.argv[2], int(sys.argv[3])
with sqlite3.connect(path, timeout=30) as db:
    end_ms = int(time.time() * 1000) + left_ms
    shift = 'SET start_ms = start_ms - until_ms + ?1, from_ms = from_ms - until_ms + ?1, until_ms = ?1'
    moved = db.execute(f'UPDATE occurrences {shift} WHERE meeting_id = ?2', (end_ms, meeting))
    assert moved.rowcount == 1, moved.rowcount";
        let database = self.folder.path().join("data/huitong.db");
        let left_ms = left.as_millis().to_string();
        let status = python().args(["-c", SCRIPT]).arg(database).args([meeting, &left_ms]).status()?;
        if !status.success() {
            bail!("the end of {meeting} can't be moved: {status}");
        }
        Ok(())
    }

    /// Makes its studio touch memory that isn't there.
    pub fn fault_studio(&self) -> Result<()> {
        self.signal_studio("-SEGV")
    }

    /// It hangs, as one whose driver never comes back.
    pub fn hang_studio(&self) -> Result<()> {
        self.signal_studio("-STOP")
    }

    fn signal_studio(&self, signal: &str) -> Result<()> {
        let parent = self.child.id().to_string();
        let status = Command::new("pkill").args([signal, "-P", &parent, "huitong-studio"]).status()?;
        if !status.success() {
            bail!("there is no studio");
        }
        Ok(())
    }

    /// Files and sockets it has open.
    pub fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Resident memory, in KiB.
    pub fn memory_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has memory")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// It still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
        last_words("the server", &self.log());
    }
}

/// The end of a program's log, into what is shown of a test where it has failed.
#[expect(clippy::print_stdout, reason = "the tests' runner takes it, and shows that of tests which fail")]
pub(crate) fn last_words(whose: &str, log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    println!("{whose} said at last:\n{}\n", lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"));
}

/// The program as built: `HUITONG_BIN`, or beside this test.
pub fn command() -> Result<Command> {
    let built = || -> Option<PathBuf> {
        let folder = std::env::current_exe().ok()?.parent()?.parent()?.to_path_buf();
        Some(folder.join("huitong"))
    };
    let path = std::env::var_os("HUITONG_BIN").map(PathBuf::from).or_else(built).context("no program")?;
    if !path.exists() {
        bail!("{} is not built: cargo build -p huitong -p studio", path.display());
    }
    Ok(Command::new(path))
}

/// The tests' own Python, with what `tests/requirements.txt` names.
pub fn python() -> Command {
    Command::new(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python"))
}

/// Below the range of ports the system lends to whoever connects (from 32768): what is free stays so until the server
/// has it.
const PORTS: Range<u16> = 12_000..32_000;

/// A port that is free on UDP and TCP, at every address of this machine.
pub fn free_everywhere() -> Result<u16> {
    for _ in 0..1_000 {
        let port = free(1)?.port();
        let all = [(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
        let is_free = |address: &SocketAddr| UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok();
        if all.iter().all(is_free) {
            return Ok(port);
        }
    }
    bail!("no port is free everywhere")
}

/// Test programs that run at the same time at most.
const LANES: u16 = 4;

/// Which of [`LANES`] is this program's, and what keeps it so: a port that one program has just given up is not taken by another, whose
/// call would hear the last of the one before.
static LANE: LazyLock<(u16, Option<UdpSocket>)> = LazyLock::new(|| {
    let taken =
        |lane| UdpSocket::bind((Ipv4Addr::LOCALHOST, PORTS.start - 1 - lane)).ok().map(|held| (lane, Some(held)));
    (0..LANES).find_map(taken).unwrap_or(((std::process::id() % u32::from(LANES)) as u16, None))
});

/// Ports in a row that are free on UDP and TCP; the first, which is even.
pub(crate) fn free(count: u16) -> Result<SocketAddr> {
    // One after the other: a port rests before it comes again.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let lane = (PORTS.end - PORTS.start) / LANES;
    let start = PORTS.start + LANE.0 * lane;
    for _ in 0..1_000 {
        let offset = NEXT.fetch_add(u32::from(count + 1), Ordering::Relaxed) % u32::from(lane - count);
        let first = (start + u16::try_from(offset)?) & !1;
        let is_free = |port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
        };
        if (first..first + count).all(is_free) {
            return Ok((Ipv4Addr::LOCALHOST, first).into());
        }
    }
    bail!("no {count} ports in a row are free")
}
