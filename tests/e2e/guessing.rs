//! Guessing passwords by machine, over the real gateway: eighty calls at once that send their keys by INFO.

use std::{
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tests::{Client, PASSWORD, Server, User, http};

const CALLS: usize = 80;

const PATIENCE: Duration = Duration::from_secs(20);

/// One call, as a script makes it.
struct Call {
    socket: UdpSocket,
    server: std::net::SocketAddr,
    number: String,
    meeting: String,
    fields: &'static str,
    to: String,
    cseq: u32,
    ended: bool,
}

impl Call {
    fn begin(server: &Server, number: String) -> Result<Self> {
        Self::to(server, &server.meeting, number, "")
    }

    /// The same to any number, with more fields.
    fn to(server: &Server, dialled: &str, number: String, fields: &'static str) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let (server, meeting) = (server.sip, dialled.to_owned());
        let mut call = Self { socket, server, number, meeting, fields, to: String::new(), cseq: 1, ended: false };
        let body =
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n";
        call.send("INVITE", &format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len()))?;
        let answer = call.wait(|text| text.starts_with("SIP/2.0 200"))?;
        let to = answer.lines().find_map(|line| line.strip_prefix("To: ")).context("a To")?;
        to.clone_into(&mut call.to);
        call.send("ACK", "Content-Length: 0\r\n\r\n")?;
        Ok(call)
    }

    fn send(&self, method: &str, rest: &str) -> Result<()> {
        let (local, Self { number, meeting, cseq, fields, .. }) = (self.socket.local_addr()?, self);
        let to = if self.to.is_empty() { format!("<sip:{meeting}@{}>", self.server) } else { self.to.clone() };
        let text = format!(
            "{method} sip:{meeting}@{} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKg{number}{method}{cseq};rport\r\n\
             From: <sip:{number}@127.0.0.1>;tag=a\r\nTo: {to}\r\nCall-ID: guess-{number}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{number}@{local}>\r\nMax-Forwards: 70\r\n{fields}{rest}",
            self.server
        );
        self.socket.send_to(text.as_bytes(), self.server)?;
        Ok(())
    }

    /// The first message that is wanted. A BYE on the way is noted and answered.
    fn wait(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = [0; 4_096];
        while Instant::now() < deadline {
            let Ok((len, _)) = self.socket.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if text.starts_with("BYE ") {
                self.ended = true;
                let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
                let same = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
                let same: String = same.map(|line| format!("{line}\r\n")).collect();
                self.socket
                    .send_to(format!("SIP/2.0 200 OK\r\n{same}Content-Length: 0\r\n\r\n").as_bytes(), self.server)?;
            }
            if wanted(&text) {
                return Ok(text);
            }
        }
        bail!("{} waits in vain", self.number)
    }

    /// Keys by INFO, each when the one before was taken; nothing more once the server hung up.
    fn press(&mut self, keys: &str) -> Result<()> {
        for key in keys.chars() {
            if self.ended {
                return Ok(());
            }
            self.cseq += 1;
            let body = format!("Signal={key}\r\nDuration=100\r\n");
            let rest = format!("Content-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            self.send("INFO", &rest)?;
            let cseq = format!("CSeq: {} INFO", self.cseq);
            self.wait(|text| text.contains(&cseq) || text.starts_with("BYE "))?;
        }
        Ok(())
    }

    /// Keys nothing until a wrong entry is answered: more keys than a person presses meanwhile would be lost.
    fn hear_out(&mut self) -> Result<()> {
        let until = Instant::now() + Duration::from_millis(700);
        while !self.ended && Instant::now() < until {
            if self.socket.peek_from(&mut [0; 4_096]).is_ok() {
                self.wait(|_| true)?;
            }
        }
        Ok(())
    }

    fn until_over(&mut self) -> Result<()> {
        if !self.ended {
            self.wait(|text| text.starts_with("BYE "))?;
        }
        Ok(())
    }
}

// reliability: A11; trap: guessable numbers
#[tokio::test(flavor = "multi_thread")]
async fn eighty_calls_at_once_make_twenty_guesses_and_the_host_is_told() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let join = json!({"type": "join", "name": "主持人"});
    let mut host = Client::join(server.web, &server.meeting, join.clone(), Some(&operator.cookie)).await?;
    let guessed = thread::scope(|scope| -> Result<()> {
        let guess = |n: usize| -> Result<()> {
            let mut call = Call::begin(&server, format!("1390000{n:04}"))?;
            call.press("2")?;
            for password in 0..3 {
                call.press(&format!("{:06}#", n * 3 + password))?;
            }
            call.until_over()
        };
        let threads: Vec<_> = (0..CALLS).map(|n| scope.spawn(move || guess(n))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a call doesn't panic"))
    });
    guessed?;
    host.next(|message| message["type"] == "notice" && message["notice"] == "door_closed").await?;
    assert_eq!(server.counted("conference_wrong_entries", "phone").await?, 20);

    // Not even the right one is told from the others now, by telephone or browser; the host has his own way.
    let mut late = Call::begin(&server, "13900009999".to_owned())?;
    late.press(&format!("2{}#", server.password))?;
    late.until_over()?;
    let mut causes = Vec::new();
    while causes.len() <= CALLS {
        let calls = operator.get("/calls?limit=200").await?;
        let items = calls["items"].as_array().context("a list")?;
        causes = items.iter().map(|call| call["cause"].as_str().unwrap_or_default().to_owned()).collect();
    }
    let refused = causes.iter().filter(|cause| *cause == "too_many_tries").count();
    let wrong = causes.iter().filter(|cause| *cause == "wrong_password").count();
    assert_eq!(refused + wrong, CALLS + 1, "{causes:?}");
    assert!(wrong <= 6 && causes[0] == "too_many_tries", "{wrong} calls had three tries: {causes:?}");
    let with_password = json!({"type": "join", "name": "李雷", "password": server.password});
    let guest = Client::join(server.web, &server.meeting, with_password, None).await?;
    assert_eq!(guest.joined["problem"]["code"], "too_many_tries", "{}", guest.joined);
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    let again = Client::join(server.web, &server.meeting, join, Some(&cookie)).await?;
    assert_eq!(again.joined["type"], "joined", "{}", again.joined);
    Ok(())
}

// reliability: A11; RFC 3325
#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_behind_a_carrier_is_known_by_whom_it_asserts_and_shuts_out_nobody_else() -> Result<()> {
    let server = Server::start()?;
    // He writes another number each time and hides; his carrier says who he is all the same.
    let hidden = "P-Asserted-Identity: <sip:+8613911112222@carrier>\r\nPrivacy: id\r\n";
    for n in 0..4 {
        let mut call = Call::to(&server, "huitong", format!("1390000{n:04}"), hidden)?;
        call.press("2")?;
        for guess in 0..3 {
            call.press(&format!("98765{n}{guess}00#0#"))?;
            call.hear_out()?;
        }
        call.until_over()?;
    }
    assert_eq!(server.counted("conference_wrong_entries", "phone").await?, 10);
    assert_eq!(server.counted("conference_guessing", "phone").await?, 1);
    let right = format!("2{}#{}#", server.meeting, server.password);
    let mut again = Call::to(&server, "huitong", "13900009999".to_owned(), hidden)?;
    again.press(&right)?;
    again.until_over()?;
    assert!(!server.log().contains("caller joined"), "he is told no more");
    let other = "P-Asserted-Identity: <sip:+8613933334444@carrier>\r\nPrivacy: id\r\n";
    let mut honest = Call::to(&server, "huitong", "13900000000".to_owned(), other)?;
    honest.press(&right)?;
    server.wait_for_log("caller joined")?;
    assert!(!server.log().contains("1111222"), "who hides is not told");
    Ok(())
}

// reliability: A11: the same in the browser.
#[tokio::test]
async fn numbers_are_not_looked_for_by_a_browser_for_long() -> Result<()> {
    let server = Server::start()?;
    let look = async |number: u32| -> Result<u16> {
        let url = format!("http://{}/api/v1/meetings/by-number/{number}", server.web);
        Ok(http().get(url).send().await?.status().as_u16())
    };
    let known: u32 = server.meeting.parse()?;
    for n in 0..60 {
        let number = if 987_654_000 + n == known { 987_655_000 } else { 987_654_000 + n };
        assert_eq!(look(number).await?, 404);
    }
    assert_eq!(look(known).await?, 429, "not even a known one is told any more");
    // Telephones of the same address are others.
    let mut call = Call::begin(&server, "13900000001".to_owned())?;
    call.press(&format!("2{}#", server.password))?;
    server.wait_for_log("caller joined")?;
    Ok(())
}
