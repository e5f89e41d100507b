//! Starting, stopping, and what a host does at the API.

use std::{
    net::{TcpStream, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::json;
use tests::{Baresip, Client, Codec, Server, http};

// product: A3
#[test]
fn a_second_start_keeps_the_data_and_ctrl_c_is_quick() -> Result<()> {
    let server = Server::start()?;
    let meeting = server.meeting.clone();
    let mut server = server.restart()?;
    assert_eq!(server.meeting, meeting);
    let mut phone = Baresip::start("13800000001", Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    let took = server.interrupt()?;
    assert!(took < Duration::from_secs(5), "{took:?}");
    phone.wait_for("CALL_CLOSED")?;
    Ok(())
}

#[test]
fn an_unknown_key_is_refused_with_file_and_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("huitong.toml");
    std::fs::write(&file, "[web]\nhttpp = 1\n")?;
    let output = tests::command()?.arg("serve").arg("--config").arg(&file).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("huitong.toml:2:") && said.contains("httpp"), "{said}");
    Ok(())
}

// product: L1, L4, L7
#[tokio::test]
async fn logging_in_is_guarded() -> Result<()> {
    let server = Server::start()?;
    let me = |cookie: &str| {
        let request = http().get(format!("http://{}/api/v1/me", server.web));
        request.header("cookie", cookie.to_owned()).send()
    };
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    assert_eq!(me(&cookie).await?.status(), 200);
    let logout = http().post(format!("http://{}/api/v1/logout", server.web));
    assert_eq!(logout.header("cookie", &cookie).send().await?.status(), 204);
    assert_eq!(me(&cookie).await?.status(), 401);

    let login = |password: &str| {
        let request = http().post(format!("http://{}/api/v1/login", server.web));
        request.header("accept-language", "en").json(&json!({"name": "member", "password": password})).send()
    };
    for _ in 0..3 {
        assert_eq!(login("wrong").await?.status(), 401);
    }
    let locked = login("Huitong-2026").await?;
    assert_eq!(locked.status(), 429);
    assert!(locked.headers().contains_key("retry-after"));
    assert_eq!(locked.json::<serde_json::Value>().await?["code"], "locked_out");
    Ok(())
}

// product: J6, C5, C13, C16
#[tokio::test]
async fn a_seat_is_had_again_and_the_end_is_told() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    let host_join = json!({"type": "join", "name": "host"});
    let mut host = Client::join(server.web, &server.meeting, host_join, Some(&cookie)).await?;
    let join = json!({"type": "join", "name": "guest", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, join.clone(), None).await?;
    let (you, resume) = (guest.joined["you"].clone(), guest.joined["resume"].clone());
    assert_eq!(guest.command(json!({"type": "lock", "on": true})).await?["problem"]["code"], "not_allowed");
    guest.command(json!({"type": "rename", "participant": you, "name": "李雷"})).await?;
    drop(guest);
    host.next(|message| message["event"]["participant"]["connected"] == false).await?;

    host.command(json!({"type": "lock", "on": true})).await?;
    let refused = Client::join(server.web, &server.meeting, join, None).await?;
    assert_eq!(refused.joined["problem"]["code"], "locked");
    let again = json!({"type": "join", "name": "guest", "resume": resume});
    let mut guest = Client::join(server.web, &server.meeting, again, None).await?;
    assert_eq!(guest.joined["you"], you);
    assert_eq!(guest.joined["participants"][1]["name"], "李雷");
    host.command(json!({"type": "end"})).await?;
    let ended = guest.next(|message| message["type"] == "ended").await?;
    assert_eq!(ended["reason"], "meeting_ended");
    Ok(())
}

#[test]
fn the_doctor_finds_a_server_well_and_says_what_is_not() -> Result<()> {
    let mut server = Server::start()?;
    let well = server.command(&["doctor"])?;
    let said = String::from_utf8_lossy(&well.stdout).into_owned();
    assert!(well.status.success(), "{said}{}", String::from_utf8_lossy(&well.stderr));
    assert!(said.contains("keys and voice get through") && said.contains("ready at"), "{said}");
    assert!(said.contains("all that browsers send is shown in livestreams"), "{said}");
    server.interrupt()?;
    let ill = server.command(&["doctor"])?;
    let said = String::from_utf8_lossy(&ill.stdout).into_owned();
    assert!(!ill.status.success() && said.contains("nobody answers at"), "{said}");
    assert_eq!(said.matches("NOT WELL").count(), 6, "{said}");
    Ok(())
}

/// Connections of nobody in particular: far more than a process may have by itself.
const IDLE: usize = 10_000;

// product: A3
#[tokio::test]
async fn ten_thousand_idle_connections_keep_nobody_out() -> Result<()> {
    let server = Server::start_with_descriptors("256:16384")?;
    let idle = (0..IDLE).map(|_| TcpStream::connect(server.web)).collect::<std::io::Result<Vec<_>>>();
    let idle = idle.context("the test has no descriptors itself: ulimit -n")?;
    // The last one has been accepted where a later one is answered.
    let health = |address| http().get(format!("http://{address}/healthz")).timeout(Duration::from_secs(10)).send();
    assert_eq!(health(server.web).await?.status(), 200);
    assert_eq!(health(server.metrics).await?.status(), 200);
    let phone = UdpSocket::bind("127.0.0.1:0")?;
    phone.set_read_timeout(Some(Duration::from_secs(10)))?;
    let options = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKidle;rport\r\nFrom: <sip:1@x>;tag=a\r\n\
         To: <sip:2@x>\r\nCall-ID: idle\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    phone.send_to(options.as_bytes(), server.sip)?;
    let mut answer = [0; 1_500];
    let (count, _) = phone.recv_from(&mut answer).context("OPTIONS is answered")?;
    assert!(answer[..count].starts_with(b"SIP/2.0 200"), "{}", String::from_utf8_lossy(&answer[..count]));
    // A new call needs a connection too.
    let mut caller = Baresip::start("13800000002", Codec::Pcma, 600.0)?;
    caller.dial(&server.meeting, server.sip, "tcp")?;
    caller.enter(&server.password)?;
    drop(idle);
    // Where there are too few, that is said.
    let few = Server::start_with_descriptors("256:512")?;
    few.wait_for_log("few descriptors")?;
    assert!(!server.log().contains("few descriptors"));
    Ok(())
}
