//! Kamailio, a SIP proxy and registrar of somebody else's making, as the carrier: it challenges account 1000, routes calls
//! of numbers to the phones that registered, and calls of its own number to that account.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::server::free;

/// How long a start may take on a loaded machine.
const START: Duration = Duration::from_secs(30);

/// One carrier.
pub struct Kamailio {
    child: Child,
    folder: TempDir,
    pub address: SocketAddr,
}

impl Kamailio {
    /// Starts one that challenges by this algorithm: `MD5` or `SHA-256`.
    pub fn start(algorithm: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free(1)?;
        let path = folder.path().join("kamailio.cfg");
        fs::write(&path, config(address, algorithm))?;
        let log = fs::File::create(folder.path().join("log"))?;
        let child = Command::new("/usr/sbin/kamailio")
            .args(["-DD", "-E", "-m", "16", "-M", "4", "-n", "1", "-N", "1", "-f"])
            .arg(&path)
            .arg("-Y")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("kamailio doesn't start; scripts/setup.sh test installs it")?;
        let carrier = Self { child, folder, address };
        carrier.wait()?;
        Ok(carrier)
    }

    /// Until it answers.
    fn wait(&self) -> Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let own = socket.local_addr()?;
        let deadline = Instant::now() + START;
        let mut buffer = [0; 2_048];
        while Instant::now() < deadline {
            let options = format!(
                "OPTIONS sip:{} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKwait;rport\r\nFrom: <sip:t@{own}>;tag=a\r\n\
                 To: <sip:{}>\r\nCall-ID: wait\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 9\r\nContent-Length: 0\r\n\r\n",
                self.address, self.address
            );
            socket.send_to(options.as_bytes(), self.address)?;
            // Refused while nobody listens there.
            if matches!(socket.recv(&mut buffer), Ok(1..)) {
                return Ok(());
            }
        }
        bail!("kamailio doesn't answer; its log:\n{}", fs::read_to_string(self.folder.path().join("log"))?)
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its first process ends the others.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn config(address: SocketAddr, algorithm: &str) -> String {
    let mut text = format!(
        "debug=1\nlog_stderror=yes\nauto_aliases=no\ndns=no\nrev_dns=no\n\
         listen=udp:{address}\nlisten=tcp:{address}\nmpath=\"/usr/lib/x86_64-linux-gnu/kamailio/modules/\"\n"
    );
    for module in ["kex", "tm", "sl", "rr", "pv", "maxfwd", "siputils", "textops", "usrloc", "registrar", "auth"] {
        text.push_str(&format!("loadmodule \"{module}.so\"\n"));
    }
    text.push_str(&format!("modparam(\"auth\", \"algorithm\", \"{algorithm}\")\n"));
    text.push_str(ROUTES);
    text
}

/// The realm is the carrier's name; only its customer is challenged.
const ROUTES: &str = r#"
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
  t_check_trans();
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("REGISTER")) {
    if ($tU == "1000" && !pv_www_authenticate("carrier.test", "secret", "0")) {
      www_challenge("carrier.test", "1");
      exit;
    }
    save("location");
    exit;
  }
  if (!is_method("INVITE")) { sl_send_reply("405", "Method Not Allowed"); exit; }
  record_route();
  if ($rU == "+861055550000") {
    $rU = "1000";
  } else {
    if (!pv_proxy_authenticate("carrier.test", "secret", "0")) { proxy_challenge("carrier.test", "1"); exit; }
    consume_credentials();
  }
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}
"#;
