//! Meetings in other people's pages (A2): the SDK and its example, the frame and its messages.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use anyhow::Result;
use tests::{Browser, Client, Colour, Server, by_id, http};

/// A page of another origin with a meeting in a frame.
pub(crate) struct Integrator {
    pub(crate) origin: String,
}

impl Integrator {
    pub(crate) fn start() -> Result<(Self, TcpListener)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let origin = format!("http://{}", listener.local_addr()?);
        Ok((Self { origin }, listener))
    }

    /// Answers whatever is asked with the page, in which somebody of this name comes in.
    pub(crate) fn serve(listener: TcpListener, server: &Server, name: &str, language: &str) {
        let page = format!(
            "<!doctype html><meta name=viewport content='width=device-width'><title>OA</title><div id=meeting style='height:700px'></div><script type=module>
             import {{ MeetingFrame }} from 'http://{0}/sdk/huitong.js';
             window.told = [];
             window.frame_ = new MeetingFrame(document.querySelector('#meeting'), {{
               server: 'http://{0}', number: '{1}', name: '{name}', password: '{2}', language: '{language}', direct: true }});
             for (const event of ['ready', 'joined', 'changed', 'ended'])
               window.frame_.on(event, detail => window.told.push([event, detail]));
             </script>",
            server.web, server.meeting, server.password
        );
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4_096]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{page}",
                    page.len()
                );
            }
        });
    }
}

const TOLD: &str = "window.told.map(([event]) => event)";

// product: A2
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_in_the_page_of_an_integrator_the_operator_trusts() -> Result<()> {
    let (trusted, listener) = Integrator::start()?;
    let (stranger, strange_listener) = Integrator::start()?;
    let server = Server::start_with(&[("HUITONG_WEB__ORIGINS", &format!("[\"{}\"]", trusted.origin))])?;
    Integrator::serve(listener, &server, "李雷", "zh-CN");
    Integrator::serve(strange_listener, &server, "李雷", "zh-CN");
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    let join = serde_json::json!({"type": "join", "name": "韩梅梅"});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&cookie)).await?;

    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&trusted.origin)?;
    page.until(&format!("{TOLD}.includes('joined')"))?;
    let came = host.next(|message| message["event"]["type"] == "participant_joined").await?;
    assert_eq!(came["event"]["participant"]["name"], "李雷");
    let state = page.evaluate("window.told.at(-1)[1]")?;
    assert_eq!((&state["participants"], &state["phase"]), (&2.into(), &"joined".into()));
    page.evaluate("window.frame_.command({ type: 'say', text: '来自OA' })")?;
    host.next(|message| message["event"]["message"]["text"] == "来自OA").await?;
    page.evaluate("window.frame_.command({ type: 'toggle_hand' })")?;
    page.until("window.told.at(-1)[1].hand === true")?;
    let refused = "window.frame_.command({ type: 'nonsense' }).catch(problem => problem.code)";
    assert_eq!(page.evaluate(refused)?, "bad_message");
    page.evaluate("window.frame_.command({ type: 'leave' })")?;
    page.until("JSON.stringify(window.told.at(-1)) === '[\"ended\",{\"reason\":\"left\"}]'")?;

    // Nobody else may frame it, or read what the API says.
    page.open(&stranger.origin)?;
    page.until("window.frame_ && document.querySelector('iframe')")?;
    // The browser itself says that it will not show it.
    while !page.said()?.iter().any(|line| line.contains("frame-ancestors")) {
        page.evaluate("new Promise(requestAnimationFrame)")?;
    }
    assert_eq!(page.evaluate("window.told.length")?, 0);
    let ask = async |origin: &str, path: &str| {
        let answer = http().get(format!("http://{}{path}", server.web)).header("origin", origin).send().await?;
        Ok::<_, anyhow::Error>(answer.headers().clone())
    };
    let allowed = ask(&trusted.origin, "/api/v1/info").await?;
    assert_eq!(allowed["access-control-allow-origin"], trusted.origin);
    assert!(!allowed.contains_key("access-control-allow-credentials"));
    assert!(!ask(&stranger.origin, "/api/v1/info").await?.contains_key("access-control-allow-origin"));
    let framed = ask(&trusted.origin, "/embed/1").await?;
    let policy = framed["content-security-policy"].to_str()?;
    assert!(policy.ends_with(&format!("frame-ancestors 'self' {}", trusted.origin)), "{policy}");
    let plain = ask(&trusted.origin, "/").await?;
    assert!(plain["content-security-policy"].to_str()?.trim().ends_with("frame-ancestors 'self'"));
    Ok(())
}

// product: A2
#[test]
fn the_example_page_of_the_sdk_meets_hears_and_sees() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(700.0, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&format!("http://{}/sdk/index.html", server.web))?;
    for (name, value) in [("number", &server.meeting), ("name", &"李雷".to_owned()), ("password", &server.password)] {
        page.evaluate(&format!("document.querySelector('[name={name}]').value = '{value}'"))?;
    }
    page.click_at("form button")?;
    page.until("document.querySelector('[role=status]').textContent.includes('韩梅梅')")?;
    page.see_colour("#pictures video:not([hidden])", Colour::Red)?;
    assert!(page.hear(1)?.tone(700.0, 0.5) > 0.01);
    host.until("document.querySelectorAll('[data-testid=tile]').length === 2")?;
    host.see_colour("[data-name='李雷'] video", Colour::Green)?;
    page.click_at("form button[type=button]")?;
    host.until("document.querySelectorAll('[data-testid=tile]').length === 1")?;
    host.see(&by_id("room"))
}
