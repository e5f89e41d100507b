//! Carriers and the calls we make by them, with a SIP proxy and telephones of others' making.

use std::net::UdpSocket;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Baresip, Browser, Client, Codec, Colour, Kamailio, PASSWORD, Server, User, by_id};

/// As carriers are written in a configuration file.
pub(crate) fn trunk(carrier: &Kamailio, more: &str) -> String {
    format!(
        r#"{{name="carrier",address="{}",user="1000",password="secret",register=true,caller="+861055550000",prefixes=["+86"]{more}}}"#,
        carrier.address
    )
}

fn server(trunks: &str) -> Result<Server> {
    let numbers = r#"[{number="+861055550000",language="en-US"}]"#;
    let environment =
        [("HUITONG_SIP__TRUNKS", trunks), ("HUITONG_SIP__COUNTRY", r#""86""#), ("HUITONG_SIP__NUMBERS", numbers)];
    Server::start_with(&environment)
}

pub(crate) async fn host(server: &Server) -> Result<Client> {
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    Client::join(server.web, &server.meeting, json!({"type": "join", "name": "主持人"}), Some(&cookie)).await
}

/// Calls a number; the id of the call.
pub(crate) async fn dial(host: &mut Client, number: &str) -> Result<Value> {
    host.send(&json!({"type": "command", "id": 77, "command": {"type": "dial", "number": number, "name": null}}))
        .await?;
    let told = host.next(|message| message["event"]["dial"]["state"] == "calling").await?;
    Ok(told["event"]["dial"]["id"].clone())
}

pub(crate) async fn becomes(host: &mut Client, id: &Value, state: &str) -> Result<Value> {
    let told = host.next(|message| {
        let dial = &message["event"]["dial"];
        dial["id"] == *id && dial["state"] == state
    });
    told.await.with_context(|| format!("call {id} doesn't become {state}"))
}

// product: P7, P8, C22
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_is_called_by_a_carrier_and_comes_in_by_a_key() -> Result<()> {
    let carrier = Kamailio::start("SHA-256")?;
    let server = server(&format!("[{}]", trunk(&carrier, "")))?;
    server.wait_for_log("trunk is up")?;
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let mut other = Baresip::start("13800000001", Codec::Opus, 900.0)?;
    other.dial(&server.meeting, server.sip, "udp")?;
    other.enter(&server.password)?;
    let mut host = host(&server).await?;
    assert_eq!(host.joined["meeting"]["dial_out"], true, "{}", host.joined);

    let id = dial(&mut host, "138 1234 5678").await?;
    becomes(&mut host, &id, "ringing").await?;
    phone.take_call()?;
    becomes(&mut host, &id, "answered").await?;
    // In the middle of the question.
    phone.wait_for_sound()?;
    phone.press("1")?;
    let joined = host.next(|message| message["event"]["type"] == "participant_joined").await?;
    assert_eq!(joined["event"]["participant"]["number"], "+86138****5678", "{joined}");
    becomes(&mut host, &id, "joined").await?;
    while phone.listen(1.0)?.tone(900.0, 1.0) < 0.05 {}
    assert!(other.listen(1.0)?.tone(600.0, 1.0) > 0.05, "the others hear him");
    let who = joined["event"]["participant"]["id"].clone();
    host.command(json!({"type": "remove", "participant": who})).await?;
    phone.wait_for("CALL_CLOSED")?;

    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let mut call = Value::Null;
    while call.is_null() {
        let calls = operator.get(&format!("/sites/{site}/calls")).await?;
        // It is written down a moment after its end.
        call = calls["items"].get(0).cloned().unwrap_or_default();
    }
    assert_eq!((&call["direction"], &call["number"]), (&"out".into(), &"+86138****5678".into()), "{call}");
    assert!(!server.log().contains("12345678"), "a number is told:\n{}", server.log());
    Ok(())
}

// product: P8
#[tokio::test(flavor = "multi_thread")]
async fn whoever_called_is_told_why_nobody_comes() -> Result<()> {
    let carrier = Kamailio::start("MD5")?;
    let server = server(&format!("[{}]", trunk(&carrier, "")))?;
    server.wait_for_log("trunk is up")?;
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcmu, 600.0)?;
    let mut host = host(&server).await?;

    let busy = dial(&mut host, "+8613812345678").await?;
    phone.refuse_call()?;
    becomes(&mut host, &busy, "busy").await?;
    let declined = dial(&mut host, "+8613812345678").await?;
    phone.take_call()?;
    phone.wait_for_sound()?;
    phone.press("2")?;
    becomes(&mut host, &declined, "declined").await?;
    phone.wait_for("CALL_CLOSED")?;
    let nobody = dial(&mut host, "13800000000").await?;
    becomes(&mut host, &nobody, "no_such_number").await?;
    let stopped = dial(&mut host, "+8613812345678").await?;
    becomes(&mut host, &stopped, "ringing").await?;
    assert_eq!(host.command(json!({"type": "stop_dial", "dial": stopped})).await?["type"], "done");
    phone.wait_for("CALL_CLOSED")?;

    let mut refused = async |number: &str| -> Result<Value> {
        Ok(host.command(json!({"type": "dial", "number": number, "name": null})).await?["problem"]["code"].take())
    };
    assert_eq!(refused("+44 20 7946 0000").await?, "number_not_allowed");
    assert_eq!(refused("sip:x@y").await?, "number_not_allowed", "of another house");
    assert_eq!(refused("none").await?, "bad_number");
    let mut guest = Client::join(
        server.web,
        &server.meeting,
        json!({"type": "join", "name": "李雷", "password": server.password}),
        None,
    )
    .await?;
    let asked = guest.command(json!({"type": "dial", "number": "13812345678", "name": null})).await?;
    assert_eq!(asked["problem"]["code"], "not_allowed");
    Ok(())
}

// product: P7, P8; reliability: A12
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_password_costs_no_fortune() -> Result<()> {
    let carrier = Kamailio::start("MD5")?;
    let trunk = trunk(&carrier, "").replace("\"+86\"", "\"+8\"");
    let server = Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", &format!("[{trunk}]")),
        ("HUITONG_SIP__PRICES", r#"[{prefix="+86",per_minute=0.15}]"#),
        ("HUITONG_SIP__CALLING", "{calls_max=1,same_number_per_hour=2}"),
    ])?;
    server.wait_for_log("trunk is up")?;
    let (first, second) = ("+8613812345678", "+8613900000002");
    let mut phone = Baresip::start_registered(first, carrier.address, Codec::Pcma, 600.0)?;
    let mut other = Baresip::start_registered(second, carrier.address, Codec::Pcma, 900.0)?;
    let mut host = host(&server).await?;
    let refused = async |host: &mut Client, number: &str| -> Result<Value> {
        Ok(host.command(json!({"type": "dial", "number": number, "name": null})).await?["problem"]["code"].take())
    };
    // A satellite, though "+8" is allowed.
    assert_eq!(refused(&mut host, "+8816 1234 5678").await?, "number_not_allowed");
    let busy = dial(&mut host, first).await?;
    becomes(&mut host, &busy, "ringing").await?;
    assert_eq!(refused(&mut host, second).await?, "too_many_dials");
    phone.refuse_call()?;
    becomes(&mut host, &busy, "busy").await?;
    let again = dial(&mut host, first).await?;
    phone.refuse_call()?;
    becomes(&mut host, &again, "busy").await?;
    assert_eq!(refused(&mut host, first).await?, "dialled_often");

    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let calling = format!("/sites/{site}/calling");
    let set = async |allowed: bool, minutes: u32, budget: f64| -> Result<()> {
        let policy = json!({"allowed": allowed, "calls_max": 5, "minutes_per_day": minutes, "budget_per_day": budget,
            "same_number_per_hour": 5, "prefixes": ["+86"]});
        let set = operator.ask(reqwest::Method::PUT, &calling, policy, &[]).await?;
        assert_eq!(set.status, 200, "{}", set.body);
        Ok(())
    };
    set(true, 0, 100.0).await?;
    assert_eq!(refused(&mut host, second).await?, "call_minutes_spent");
    set(true, 100, 0.1).await?;
    assert_eq!(refused(&mut host, second).await?, "call_budget_spent");
    set(true, 100, 0.2).await?;
    let id = dial(&mut host, second).await?;
    other.take_call()?;
    other.wait_for_sound()?;
    other.press("1")?;
    becomes(&mut host, &id, "joined").await?;
    let used = operator.get(&calling).await?["used"].take();
    assert_eq!(used, json!({"calls": 1, "minutes": 1, "cost": 0.15}));
    // What it may no longer ends what it does.
    set(false, 100, 0.2).await?;
    other.wait_for("CALL_CLOSED")?;
    assert_eq!(refused(&mut host, second).await?, "no_dial_out");
    let mut call = Value::Null;
    while call["cause"] != "spent" {
        let calls = operator.get(&format!("/sites/{site}/calls")).await?;
        // It is written down a moment after its end.
        call = calls["items"].get(0).cloned().unwrap_or_default();
    }
    assert_eq!((&call["cost"], call["answered"].is_string()), (&json!(0.15), true), "{call}");
    assert!(call["mos"].as_f64() > Some(3.5) && call["lost"].is_u64() && call["jitter_ms"].is_f64(), "{call}");
    let audit = operator.get(&format!("/sites/{site}/audit")).await?.to_string();
    assert!(audit.contains("meeting.dial") && audit.contains("number/+86139****0002"), "{audit}");

    // A call ends with its meeting, whether it was taken or not.
    set(true, 100, 10.0).await?;
    let id = dial(&mut host, second).await?;
    becomes(&mut host, &id, "ringing").await?;
    host.command(json!({"type": "end"})).await?;
    other.wait_for("CALL_CLOSED")?;
    Ok(())
}

/// A carrier that is there and takes no calls: it says so, or nothing.
pub(crate) fn overloaded(says: bool) -> Result<std::net::SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok((len, peer)) = socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..len]);
            let status = if text.starts_with("INVITE") { "503 Service Unavailable" } else { "200 OK" };
            let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
            let same = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
            let answer: String = same.map(|line| format!("{line}\r\n")).collect();
            if !text.starts_with("ACK") && (says || !text.starts_with("INVITE")) {
                let _ =
                    socket.send_to(format!("SIP/2.0 {status}\r\n{answer}Content-Length: 0\r\n\r\n").as_bytes(), peer);
            }
        }
    });
    Ok(address)
}

// product: P7
#[tokio::test(flavor = "multi_thread")]
async fn the_next_carrier_is_asked_where_the_first_takes_no_call_and_calls_come_in_by_it() -> Result<()> {
    let (first, carrier) = (overloaded(true)?, Kamailio::start("MD5")?);
    let silent = UdpSocket::bind("127.0.0.1:0")?;
    let mute = silent.local_addr()?;
    let mute = format!(r#"{{name="silent",address="{mute}",caller="1",prefixes=["+86"]}}"#);
    let bad = format!(r#"{{name="overloaded",address="{first}",caller="1",prefixes=["+86"],priority=1}}"#);
    let good = trunk(&carrier, r#",priority=2,transport="tcp""#);
    let server = server(&format!("[{good},{bad},{mute}]"))?;
    server.wait_for_log("\"carrier\"")?;
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let mut host = host(&server).await?;
    let id = dial(&mut host, "13812345678").await?;
    phone.take_call()?;
    phone.wait_for_sound()?;
    phone.press("1")?;
    becomes(&mut host, &id, "joined").await?;
    server.wait_for_log("the carrier took no call")?;

    // The carrier's own number leads to where we registered, and has its language.
    let mut caller = Baresip::start("13800000002", Codec::Pcma, 900.0)?;
    caller.dial("+861055550000", carrier.address, "udp")?;
    caller.press(&format!("{}#{}#", server.meeting, server.password))?;
    while phone.listen(1.0)?.tone(900.0, 1.0) < 0.05 {}
    Ok(())
}

// product: C22
#[tokio::test(flavor = "multi_thread")]
async fn a_host_calls_a_telephone_from_the_meetings_page_and_sees_what_becomes_of_it() -> Result<()> {
    let carrier = Kamailio::start("MD5")?;
    let server = Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", &format!("[{}]", trunk(&carrier, ""))),
        ("HUITONG_SIP__COUNTRY", r#""86""#),
        ("HUITONG_SIP__ACCOUNTS", r#"[{user="8001",password="long-enough"}]"#),
    ])?;
    server.wait_for_log("trunk is up")?;
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let mut system = Baresip::start_registering("8001", "long-enough", server.sip, Codec::Pcma, 900.0)?;
    system.wait_for("REGISTER_OK")?;
    let mut page = Browser::start(0.0, Colour::Red)?;
    page.login(server.web, "concurrent", PASSWORD)?;
    page.click("instant-open")?;
    page.fill("instant-title", "周会")?;
    page.click("instant-start")?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    page.click("more")?;
    page.click("open-invite")?;
    page.click("invite-by-phone")?;
    page.fill("call-number", "+44 20 7946 0000")?;
    page.click("call-submit")?;
    page.see(&by_id("call-problem"))?;
    assert!(page.text(&by_id("call-problem"))?.contains("administrator"), "{}", page.text(&by_id("call-problem"))?);
    page.fill("call-number", "138 1234 5678")?;
    page.fill("call-name", "韩梅梅")?;
    page.click("call-submit")?;
    page.see("[data-testid=dial][data-state=ringing]")?;
    // Given up, and called again: the page knows the number masked, the server whole.
    page.click("dial-stop")?;
    page.see("[data-testid=dial][data-state=stopped]")?;
    phone.wait_for("CALL_CLOSED")?;
    page.click("dial-again")?;
    page.see("[data-testid=dial][data-state=ringing]")?;
    page.miss(&by_id("dial-again"))?;
    assert_eq!(page.axe()?, Vec::<String>::new());
    phone.take_call()?;
    page.see("[data-testid=dial][data-state=answered]")?;
    phone.wait_for_sound()?;
    phone.press("1")?;
    page.see("[data-testid=dial][data-state=joined]")?;

    // A room system of the house, by its extension.
    page.click("invite-by-room")?;
    page.fill("call-number", "8001@elsewhere.example")?;
    page.click("call-submit")?;
    page.until(
        "document.querySelector('[data-testid=call-problem]')?.innerText.includes('registered on this server')",
    )?;
    // Or by its address, as it stands on the machine itself.
    let own = "fetch('/api/v1/info').then(answer => answer.json()).then(({ sip }) => sip.host)";
    let host = page.evaluate(own)?.as_str().context("a SIP host")?.to_owned();
    page.fill("call-number", &format!("sip:8001@{host}"))?;
    page.fill("call-name", "三楼会议室")?;
    page.click("call-submit")?;
    page.see("[data-testid=dial][data-state=ringing]")?;
    assert_eq!(page.axe()?, Vec::<String>::new());
    system.take_call()?;
    system.wait_for_sound()?;
    system.press("1")?;
    page.until("document.querySelectorAll('[data-testid=dial][data-state=joined]').length === 2")?;
    page.press("Escape")?;
    page.see("[data-testid=tile][data-name='三楼会议室']")?;
    page.see("[data-testid=tile][data-name='韩梅梅']")
}

// product: P7
#[test]
fn the_dial_plan_is_read_and_what_is_wrong_with_it_is_named_by_file_and_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("huitong.toml");
    let check = |text: &str, number: &str| -> Result<(bool, String)> {
        std::fs::write(&path, text)?;
        let checked =
            tests::command()?.args(["sipconf", "check", "--number", number, "--config"]).arg(&path).output()?;
        let said = [checked.stdout, checked.stderr].concat();
        Ok((checked.status.success(), String::from_utf8_lossy(&said).into_owned()))
    };
    let good = "[sip]\ncountry = \"86\"\n[[sip.trunks]]\nname = \"a\"\naddress = \"h\"\ncaller = \"1000\"\nprefixes = [\"+86\"]\n";
    let (is_good, said) = check(good, "138 1234 5678")?;
    assert!(is_good && said.contains("+8613812345678 goes by a") && !said.contains("warning"), "{said}");
    let (is_good, said) = check(&good.replace("country = \"86\"\n", "").replace("+86", "138"), "13812345678")?;
    assert!(is_good && said.contains("warning: a takes numbers without a plus"), "{said}");
    let (is_good, said) = check(good, "+442079460000")?;
    assert!(!is_good && said.contains("may not be dialled"), "{said}");
    let priced = format!("{good}[[sip.prices]]\nprefix = \"+86\"\nper_minute = 0.15\n");
    assert!(check(&priced, "13812345678")?.1.contains("a minute costs 0.15"));
    let (is_good, said) = check(&priced.replace("0.15", "-1"), "13812345678")?;
    assert!(!is_good && said.contains("no price of a minute"), "{said}");
    // What is given as an example is one: file, a number that may be called, and how.
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../sipconf/examples");
    let expected = [
        ("two-carriers.toml", "138 1234 5678", "goes by telecom, then mobile"),
        ("two-carriers.toml", "+44 20 7946 0000", "goes by mobile"),
        ("enterprise-pbx.toml", "2001", "goes by pbx"),
        ("kamailio-nodes.toml", "010 6552 9988", "goes by kamailio-a, then kamailio-b"),
    ];
    for (name, number, goes) in expected {
        let (is_good, said) = check(&std::fs::read_to_string(examples.join(name))?, number)?;
        assert!(is_good && said.contains(goes), "{name}: {said}");
    }
    assert_eq!(std::fs::read_dir(&examples)?.count(), 3, "an example that nobody tries");
    for number in ["+8816 1234 5678", "+1 900 555 0100", "+86 168 1234 5678"] {
        let (is_good, said) = check(&std::fs::read_to_string(examples.join("two-carriers.toml"))?, number)?;
        assert!(!is_good && said.contains("may not be dialled"), "{number}: {said}");
    }
    let (is_good, said) = check(&good.replace("\"h\"", "\"h:x\""), "8001")?;
    assert!(!is_good && said.contains("huitong.toml:3: \"h:x\" is no address"), "{said}");
    Ok(())
}

// product: P12, C22
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_of_the_house_registers_is_called_and_calls() -> Result<()> {
    let accounts = r#"[{user="8001",password="long-enough"}]"#;
    let server = Server::start_with(&[("HUITONG_SIP__ACCOUNTS", accounts)])?;
    let start = |password: &str| Baresip::start_registering("8001", password, server.sip, Codec::Pcma, 600.0);
    let mut stranger = start("guessed-one")?;
    stranger.wait_for("REGISTER_FAIL")?;
    let user = User::login(&server, "host").await?;
    let pin = user.post("/me/phone-pin", json!({})).await?.body["pin"].as_str().context("a PIN")?.to_owned();
    let mut host = host(&server).await?;
    let away = dial(&mut host, "8001").await?;
    becomes(&mut host, &away, "no_answer").await?;

    let mut phone = start("long-enough")?;
    phone.wait_for("REGISTER_OK")?;
    let id = dial(&mut host, "8001").await?;
    phone.take_call()?;
    phone.wait_for_sound()?;
    phone.press("1")?;
    becomes(&mut host, &id, "joined").await?;
    let refused = host.command(json!({"type": "dial", "number": "8002", "name": null})).await?;
    assert_eq!(refused["problem"]["code"], "number_not_allowed");

    // Called in by the keys of another telephone, whose owner has the PIN (P4).
    phone.hang_up()?;
    let mut phone = start("long-enough")?;
    phone.wait_for("REGISTER_OK")?;
    let mut caller = Baresip::start("13800000001", Codec::Pcma, 900.0)?;
    caller.dial(&server.meeting, server.sip, "udp")?;
    caller.press(&format!("2{pin}#"))?;
    host.next(|message| {
        message["event"]["participant"]["role"] == "host" && message["event"]["participant"]["via"] == "phone"
    })
    .await?;
    caller.press("#98001#")?;
    let rings = host.next(|message| message["event"]["dial"]["state"] == "ringing").await?;
    let id = rings["event"]["dial"]["id"].clone();
    phone.take_call()?;
    phone.wait_for_sound()?;
    phone.press("1")?;
    becomes(&mut host, &id, "joined").await?;

    // A restart forgets no telephone: it is called before it registers again.
    phone.hang_up()?;
    let mut phone = start("long-enough")?;
    phone.wait_for("REGISTER_OK")?;
    let server = server.restart_with(&[("HUITONG_SIP__ACCOUNTS", accounts)])?;
    let mut host = self::host(&server).await?;
    let id = dial(&mut host, "8001").await?;
    phone.take_call()?;
    phone.wait_for_sound()?;
    phone.press("1")?;
    becomes(&mut host, &id, "joined").await?;
    Ok(())
}

// product: P7, P11
#[tokio::test(flavor = "multi_thread")]
async fn signalling_is_encrypted_to_a_carrier_and_from_a_telephone() -> Result<()> {
    let exchange = Server::start_with(&[("HUITONG_SIP__ACCOUNTS", r#"[{user="8001",password="long-enough"}]"#)])?;
    let trunk = |authority: &str| {
        let port = exchange.sips.port();
        format!(
            r#"[{{name="tls",address="localhost:{port}",domain="127.0.0.1",transport="tls",user="8001",password="long-enough",register=true{authority}}}]"#
        )
    };
    let believed = format!(r#",authority="{}""#, exchange.certificate().display());
    let house = Server::start_with(&[("HUITONG_SIP__TRUNKS", &trunk(&believed))])?;
    house.wait_for_log("trunk is up")?;
    // A carrier that wants to know who connects: one has a certificate it believes, the other has none.
    let strict = Server::start_with(&[("HUITONG_SIP__TLS_AUTHORITY", &house.certificate().display().to_string())])?;
    let asks = |ours: &str| {
        let (port, authority) = (strict.sips.port(), strict.certificate());
        let authority = authority.display();
        format!(
            r#"{{name="strict",address="localhost:{port}",transport="tls",caller="1",authority="{authority}"{ours}}}"#
        )
    };
    let ours = format!(
        r#",certificate="{}",key="{}""#,
        house.certificate().display(),
        house.certificate().with_file_name("web-key.pem").display()
    );
    // The other way round: the exchange calls the account, and the call comes in over that connection.
    let mut host = host(&exchange).await?;
    let id = dial(&mut host, "8001").await?;
    becomes(&mut host, &id, "answered").await?;

    let trunks = trunk("").replace("}]", &format!("}},{}]", asks("")));
    let doubtful = Server::start_with(&[("HUITONG_SIP__TRUNKS", &trunks), ("NO_COLOR", "1")])?;
    doubtful.wait_for_log("the other end is not who it should be")?;
    doubtful.wait_for_log("trunk is down trunk=\"strict\"")?;
    let known = doubtful.restart_with(&[("HUITONG_SIP__TRUNKS", &format!("[{}]", asks(&ours))), ("NO_COLOR", "1")])?;
    known.wait_for_log("trunk is up trunk=\"strict\"")?;

    // Its certificate is renewed: who connects from then on sees the new one, and nobody was cut off.
    for file in ["web-certificate.pem", "web-key.pem"] {
        std::fs::copy(house.certificate().with_file_name(file), strict.certificate().with_file_name(file))?;
    }
    strict.wait_for_log("the new certificate is shown")?;
    let root = reqwest::Certificate::from_pem(&std::fs::read(house.certificate())?)?;
    let client = tests::http_with(root)?;
    let page = client.get(format!("https://localhost:{}/", strict.https.port())).send().await?;
    assert!(page.status().is_success(), "{}", page.status());

    let mut phone = Baresip::start("13800000001", Codec::Pcma, 600.0)?;
    phone.dial(&exchange.meeting, exchange.sips, "tls")?;
    phone.enter(&exchange.password)?;
    host.next(|message| message["event"]["type"] == "participant_joined").await?;
    Ok(())
}
