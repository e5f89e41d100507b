//! Who may watch a livestream, and who learns nothing of it.

use anyhow::{Context, Result};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Browser, Client, Colour, Devices, PASSWORD, Server, User, by_id, http};

/// A viewer without a browser.
struct Viewer<'a> {
    server: &'a Server,
    livestream: &'a str,
    /// Of another site's page or of nobody.
    session: Option<&'a str>,
}

impl Viewer<'_> {
    /// The problem's code, or the pass.
    async fn attend(&self, body: Value) -> Result<std::result::Result<String, String>> {
        self.renew(body, "").await
    }

    /// The same of who has a pass.
    async fn renew(&self, body: Value, pass: &str) -> Result<std::result::Result<String, String>> {
        let url = format!("http://{}/api/v1/broadcasts/{}/viewers", self.server.web, self.livestream);
        let request = http().post(url).json(&body);
        let cookies = self.session.into_iter().chain(Some(pass).filter(|pass| !pass.is_empty()));
        let request = request.header("cookie", cookies.collect::<Vec<_>>().join("; "));
        let answer = request.send().await?;
        let given = answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().map(str::to_owned));
        let given = given.collect::<std::result::Result<Vec<_>, _>>()?;
        let cookie = given.first().cloned();
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        if status != StatusCode::OK {
            return Ok(Err(body["code"].as_str().unwrap_or_default().to_owned()));
        }
        let cookie = cookie.unwrap_or_default();
        if !cookie.is_empty() {
            assert!(cookie.contains(&format!("; Path=/live/{}; Max-Age=300; HttpOnly; SameSite=Lax", self.livestream)));
            assert_eq!(body["pass_seconds"], 300);
            // And where it is renewed.
            let there = format!("; Path=/api/v1/broadcasts/{}/viewers; Max-Age=300; HttpOnly", self.livestream);
            assert!(given.len() == 2 && given[1].contains(&there), "{given:?}");
        }
        Ok(Ok(cookie.split(';').next().unwrap_or_default().to_owned()))
    }

    /// The problem's code, or by what his page knows his messages.
    async fn say(&self, words: Value, cookie: &str) -> Result<std::result::Result<Value, String>> {
        let url = format!("http://{}/live/{}/chat", self.server.web, self.livestream);
        let answer = http().post(url).header("cookie", cookie).json(&words).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        Ok(if status == StatusCode::OK { Ok(body["from"].clone()) } else { Err(code) })
    }

    /// The number of the segment that is being made.
    async fn next_segment(&self, cookie: &str) -> Result<u64> {
        let url = format!("http://{}/live/{}/video.m3u8", self.server.web, self.livestream);
        let text = http().get(url).header("cookie", cookie).send().await?.text().await?;
        let first = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).context("a playlist")?;
        Ok(first.parse::<u64>()? + text.matches("#EXTINF").count() as u64)
    }

    /// The name of what precedes the segments.
    async fn init(&self, cookie: &str) -> Result<String> {
        let url = format!("http://{}/live/{}/video.m3u8", self.server.web, self.livestream);
        let text = http().get(url).header("cookie", cookie).send().await?.text().await?;
        let name = text.split_once("#EXT-X-MAP:URI=\"").and_then(|(_, rest)| rest.split_once('"'));
        Ok(name.context("a playlist")?.0.to_owned())
    }

    async fn status(&self, file: &str, cookie: &str) -> Result<u16> {
        let url = format!("http://{}/live/{}/{file}", self.server.web, self.livestream);
        let answer = http().get(url).header("cookie", cookie).send().await?;
        assert!(answer.headers().contains_key("access-control-allow-origin"));
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        Ok(answer.status().as_u16())
    }

    /// What caches are told of a file.
    async fn cache(&self, file: &str, cookie: &str) -> Result<String> {
        let url = format!("http://{}/live/{}/{file}", self.server.web, self.livestream);
        let answer = http().get(url).header("cookie", cookie).send().await?;
        Ok(answer.headers()["cache-control"].to_str()?.to_owned())
    }

    /// The same of a livestream's three kinds of files: what changes, what never does, and what has been waited for.
    async fn caches(&self, cookie: &str) -> Result<[String; 3]> {
        let reload = format!("video.m3u8?_HLS_msn={}", self.next_segment(cookie).await?);
        let init = self.init(cookie).await?;
        Ok([
            self.cache("index.m3u8", cookie).await?,
            self.cache(&init, cookie).await?,
            self.cache(&reload, cookie).await?,
        ])
    }
}

const SCRIPT: &str = "<img src=x onerror='window.ran = 1'><script>window.ran = 2</script>";

const FILES: [&str; 9] = [
    "chat",
    "actions",
    "stage",
    "index.m3u8",
    "video.m3u8",
    "audio.m3u8",
    "video-init-0.mp4",
    "video-0.m4s",
    "replay.mp4",
];

// product: B4, B5, reliability: A13
#[tokio::test(flavor = "multi_thread")]
async fn who_may_watch_is_let_in_for_five_minutes_and_nobody_else_gets_a_segment() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "host").await?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&user.cookie)).await?;
    let door = http().get(format!("http://{}/api/v1/meetings/by-number/{}", server.web, server.meeting)).send().await?;
    let id = door.json::<Value>().await?["id"].as_str().context("an id")?.to_owned();
    let path = format!("/meetings/{id}/watch");
    let set = async |body: Value| -> Result<Value> {
        let answer = user.ask(Method::PUT, &path, body, &[]).await?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Ok(answer.body)
    };
    assert_eq!(user.get(&path).await?["access"], "public");
    let bad = user.ask(Method::PUT, &path, json!({"access": "password", "password": "abc"}), &[]).await?;
    assert_eq!((bad.status, &bad.body["code"]), (400, &"bad_watch_password".into()));
    let stranger = http().put(format!("http://{}/api/v1{path}", server.web)).json(&json!({"access": "public"}));
    assert_eq!(stranger.send().await?.status(), StatusCode::UNAUTHORIZED);
    let other = User::login(&server, "concurrent").await?;
    assert_eq!(other.ask(Method::PUT, &path, json!({"access": "public"}), &[]).await?.status, 404);

    set(json!({"access": "password", "password": "246810"})).await?;
    host.command(json!({"type": "start_broadcast"})).await?;
    host.next(|message| message["event"]["broadcast"]["state"] == "live").await?;
    let viewer = Viewer { server: &server, livestream: &id, session: None };
    for file in FILES {
        assert_eq!(viewer.status(file, "").await?, 403, "{file} without a pass");
    }
    let me = "f00d";
    assert_eq!(viewer.attend(json!({"viewer": me})).await?, Err("watch_password_needed".to_owned()));
    let wrong = json!({"viewer": me, "password": "135790"});
    assert_eq!(viewer.attend(wrong.clone()).await?, Err("wrong_watch_password".to_owned()));
    let pass = viewer.attend(json!({"viewer": me, "password": "246810"})).await?.expect("the right password");
    assert_eq!(viewer.status("index.m3u8", &pass).await?, 200);
    assert_eq!(viewer.status(&viewer.init(&pass).await?, &pass).await?, 200);
    let again = viewer.attend(json!({"viewer": me, "password": "246810"})).await?.expect("a pass is renewed");
    // What he is let in to is his: no cache on the way hands it to the next one (RFC 9111 §5.2.2.7).
    assert_eq!(viewer.caches(&pass).await?, ["private, no-cache", "private, max-age=300", "private, max-age=2"]);
    for file in ["index.m3u8", "video-init-0.mp4", "chat"] {
        assert_eq!(viewer.cache(file, "").await?, "no-store", "a refusal of {file}");
    }
    // Nobody waits for what is far away, and one viewer for so much at once.
    let next = viewer.next_segment(&pass).await?;
    let far =
        [format!("_HLS_msn={}", next + 30), format!("_HLS_msn={}&_HLS_part=99", next + 2), "_HLS_part=1".to_owned()];
    for far in far {
        assert_eq!(viewer.status(&format!("video.m3u8?{far}"), &pass).await?, 400, "{far}");
    }
    let file = format!("video.m3u8?_HLS_msn={}", next + 1);
    let waiting = futures_util::future::join_all((0..20).map(|_| viewer.status(&file, &pass))).await;
    let waiting = waiting.into_iter().collect::<Result<Vec<_>>>()?;
    let of = |status: u16| waiting.iter().filter(|seen| **seen == status).count();
    assert_eq!((of(200), of(429)), (16, 4), "{waiting:?}");
    for forged in [pass.replacen("f00d", "f00e", 1), pass.to_uppercase(), format!("{pass}0"), "huitong-watch=..".into()]
    {
        assert_eq!(viewer.status("index.m3u8", &forged).await?, 403, "{forged}");
    }
    let seen: Value = http().get(format!("http://{}/api/v1/broadcasts/{id}", server.web)).send().await?.json().await?;
    assert_eq!((&seen["viewers"], &seen["access"]), (&1.into(), &"password".into()), "counted once: {seen}");

    // In a browser, with a password mistyped.
    let web = server.web;
    let page = format!("http://{web}/watch/{id}");
    let mut browser = tokio::task::spawn_blocking(move || -> Result<Browser> {
        let mut browser = Browser::start(700.0, Colour::Red)?;
        browser.open(&page)?;
        browser.see("[data-testid=watch-entry]")?;
        browser.fill("watch-password", "1111")?;
        browser.click("watch-enter")?;
        browser.until("document.querySelector('#words').textContent.includes('Wrong password')")?;
        browser.fill("watch-password", "246810")?;
        browser.click("watch-enter")?;
        browser.until("document.querySelector('video').currentTime > 0.5")?;
        // He writes what would be a script if it were anything but text.
        browser.see("[data-testid=watch-chat]")?;
        browser.fill("watch-chat-name", "观众甲")?;
        browser.fill("watch-chat-text", SCRIPT)?;
        browser.click("watch-chat-send")?;
        browser.until(&format!("document.querySelector('.said .text')?.textContent === {}", json!(SCRIPT)))?;
        browser.miss("[data-testid=watch-chat-problem]")?;
        assert!(browser.axe()?.is_empty());
        Ok(browser)
    })
    .await??;
    let said = host.next(|message| message["event"]["type"] == "chat").await?["event"]["message"].clone();
    assert_eq!(
        (&said["name"], &said["livestream"], &said["text"]),
        (&"观众甲".into(), &"viewer".into(), &SCRIPT.into())
    );
    let words = |text: &str| json!({"viewer": "beef", "name": "乙", "text": text});
    assert_eq!(viewer.say(words("hi"), "").await?, Err("no_pass".to_owned()));
    assert_eq!(viewer.say(words(&"x".repeat(301)), &again).await?, Err("bad_text".to_owned()));
    let mine = viewer.say(words("在吗"), &again).await?.expect("with a pass");
    assert_ne!(mine, said["from"]);
    let mut refused = viewer.say(words("在吗"), &again).await?;
    while refused.is_ok() {
        refused = viewer.say(words("在吗"), &again).await?;
    }
    assert_eq!(refused, Err("too_fast".to_owned()));
    host.command(json!({"type": "tell_viewers", "text": "欢迎各位"})).await?;
    host.command(json!({"type": "remove_chat", "message": said["id"]})).await?;
    tokio::task::spawn_blocking(move || -> Result<()> {
        browser.until("[...document.querySelectorAll('.said .text')].some(text => text.textContent === '欢迎各位')")?;
        browser.until(
            "![...document.querySelectorAll('.said')].some(({ textContent }) => textContent.includes('观众甲'))",
        )?;
        assert_eq!(browser.evaluate("window.ran ?? null")?, Value::Null, "a viewer's script ran");
        Ok(())
    })
    .await??;

    let link = set(json!({"access": "link"})).await?["link"].as_str().context("a link")?.to_owned();
    assert_eq!(viewer.status("index.m3u8", &again).await?, 403, "what was given before is void at once");
    assert_eq!(viewer.attend(json!({"viewer": me})).await?, Err("wrong_link".to_owned()));
    let (_, signature) = link.split_once('#').context("a signature, where no server's log sees it")?;
    let pass = viewer.attend(json!({"viewer": me, "signature": signature})).await?.expect("the right link");
    assert_eq!(viewer.status("audio.m3u8", &pass).await?, 200);

    set(json!({"access": "registered"})).await?;
    assert_eq!(viewer.status("audio.m3u8", &pass).await?, 403);
    assert_eq!(viewer.attend(json!({"viewer": me})).await?, Err("not_logged_in".to_owned()));
    let member = Viewer { session: Some(&other.cookie), ..viewer };
    let pass = member.attend(json!({"viewer": me})).await?.expect("an account of the site");
    assert_eq!(member.status("video.m3u8", &pass).await?, 200);

    set(json!({"access": "public"})).await?;
    assert_eq!(member.status("video.m3u8", "").await?, 200);
    assert_eq!(member.caches("").await?, ["no-cache", "max-age=300", "max-age=2"], "everybody's, and a CDN's");
    assert_eq!(member.cache("video-0.m4s", "").await?, "no-store", "what isn't there");
    // Guessing ends after some tries.
    set(json!({"access": "password", "password": "97531"})).await?;
    let watching = member.attend(json!({"viewer": me, "password": "97531"})).await?.expect("the right password");
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(member.attend(wrong.clone()).await?.expect_err("a wrong password"));
    }
    assert_eq!(codes.last().map(String::as_str), Some("too_many_tries"), "{codes:?}");
    // Who was in before goes on watching, and nobody else comes in by the right one: not by another's pass either.
    let right = json!({"viewer": me, "password": "97531"});
    let renewed = member.renew(right.clone(), &watching).await?.expect("a pass is renewed");
    assert_eq!(member.status("video.m3u8", &renewed).await?, 200);
    let of_another = json!({"viewer": "beef", "password": "97531"});
    for (body, pass) in [(right, ""), (of_another, renewed.as_str()), (wrong, &renewed)] {
        assert_eq!(member.renew(body, pass).await?, Err("too_many_tries".to_owned()));
    }
    let log = server.log();
    for secret in [&again, &pass, signature, "246810", "97531"] {
        let secret = secret.trim_start_matches("huitong-watch=");
        assert!(!log.contains(secret), "a secret is in the log");
    }
    Ok(())
}

// product: B4
#[tokio::test(flavor = "multi_thread")]
async fn no_stranger_makes_an_audience_out_of_numbers() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "host").await?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&user.cookie)).await?;
    let id = host.joined["meeting"]["id"].as_str().context("an id")?.to_owned();
    host.command(json!({"type": "start_broadcast"})).await?;
    host.next(|message| message["event"]["broadcast"]["state"] == "live").await?;
    let url = format!("http://{}/api/v1/broadcasts/{id}/viewers", server.web);
    let watch = async |from: &reqwest::Client, viewer: u32| -> Result<u64> {
        let answer = from.post(&url).json(&json!({"viewer": format!("{viewer:x}")})).send().await?;
        assert_eq!(answer.status(), StatusCode::OK, "nobody is shut out for it");
        answer.json::<Value>().await?["viewers"].as_u64().context("a count")
    };
    let began = std::time::Instant::now();
    let here = http();
    let mut seen = 0;
    for viewer in 0..1_000 {
        seen = watch(&here, viewer).await?;
    }
    // An office comes at once; after it, people one after the other.
    let most = 201 + (began.elapsed().as_secs_f64() * 20.0) as u64;
    assert!((200..=most).contains(&seen) && seen < 1_000, "{seen} of at most {most}");
    let there = reqwest::Client::builder().local_address(std::net::IpAddr::from([127, 0, 0, 2])).build()?;
    let before = watch(&here, 0).await?;
    assert_eq!(watch(&there, 2_000).await?, before + 1, "others are counted");
    Ok(())
}

// product: B5
#[tokio::test(flavor = "multi_thread")]
async fn its_owner_chooses_who_may_watch_and_has_the_address_to_hand_out() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "host").await?;
    let booked = user.post("/meetings", json!({"title": "发布会", "options": {"livestream": true}})).await?;
    assert_eq!(booked.status, 201, "{}", booked.body);
    let text = |of: &str| booked.body[of].as_str().map(str::to_owned).context("a booking");
    let (id, number, web) = (text("id")?, text("number")?, server.web);
    let (card, door) = (format!("[data-number='{number}']"), format!("http://{web}/j/{number}"));
    let (mut owner, address, link) = tokio::task::spawn_blocking(move || -> Result<(Browser, String, String)> {
        let mut owner = Browser::start_on(Devices::NoCamera)?;
        owner.login(web, "host", PASSWORD)?;
        let open = |owner: &mut Browser| -> Result<()> {
            owner.click_at(&format!("[data-number='{number}'] [data-testid=meeting-more]"))?;
            owner.click("meeting-audience")?;
            owner.see(&by_id("audience-address"))
        };
        open(&mut owner)?;
        owner.click("audience-password")?;
        owner.miss(&by_id("audience-address"))?;
        // What is wrong with it is said, and it stays there to be mended.
        owner.fill("audience-code", "abc")?;
        owner.click("audience-save")?;
        owner.see(&by_id("audience-problem"))?;
        assert_eq!(owner.evaluate("document.querySelector('[data-testid=audience-code]').value")?, "abc");
        assert!(owner.axe()?.is_empty());
        owner.fill("audience-code", "246810")?;
        owner.click("audience-save")?;
        owner.see(&by_id("audience-address"))?;
        owner.miss(&by_id("audience-problem"))?;
        let read = "document.querySelector('[data-testid=audience-address]').value";
        let address = owner.evaluate(read)?.as_str().context("an address")?.to_owned();
        // It is there when the dialog is opened again, and another choice has another address.
        owner.press("Escape")?;
        owner.miss(&by_id("audience-address"))?;
        open(&mut owner)?;
        assert_eq!(owner.evaluate("document.querySelector('[data-testid=audience-code]').value")?, "246810");
        owner.click("audience-link")?;
        owner.click("audience-save")?;
        // It is away while it is made.
        owner.until(&format!("document.querySelector('[data-testid=audience-address]') && {read}.includes('#')"))?;
        let link = owner.evaluate(read)?.as_str().context("an address")?.to_owned();
        Ok((owner, address, link))
    })
    .await??;
    assert!(address.contains(&id) && !address.contains('#'), "{address}");
    let settings = user.get(&format!("/meetings/{id}/watch")).await?;
    assert_eq!((&settings["access"], &settings["link"]), (&"link".into(), &link.as_str().into()));
    assert_eq!(user.get(&format!("/meetings/{id}")).await?["watch"], link);

    // The same address stands wherever he finds one: at the booking, and in the meeting while it is on.
    tokio::task::spawn_blocking(move || -> Result<()> {
        owner.press("Escape")?;
        owner.see(&format!("{card} a[href='{link}']"))?;
        owner.click_at(&format!("{card} [data-testid=meeting-start]"))?;
        owner.enter("韩梅梅", "")?;
        owner.click("start-broadcast")?;
        owner.see(&format!("[data-testid=watch-link][href='{link}']"))?;
        // Who may not hand it out, though he helps, has none rather than one that lets nobody in.
        let mut helper = Browser::start_on(Devices::NoCamera)?;
        helper.open(&door)?;
        helper.enter("李雷", "")?;
        crate::web::from_row(&mut owner, "李雷", "row-make-co-host")?;
        helper.until("window.huitong.me.role === 'co_host'")?;
        helper.see("[data-testid=broadcast][data-state=live]")?;
        helper.until(
            "performance.getEntriesByType('resource').some(({ name, responseEnd }) => name.includes('/broadcasts/') && responseEnd > 0)",
        )?;
        helper.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")?;
        assert_eq!(helper.evaluate("document.querySelector('[data-testid=watch-link]') === null")?, true);
        Ok(())
    })
    .await?
}
