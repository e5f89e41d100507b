//! What viewers of a livestream do besides watching, and what its hosts make of it.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Browser, Colour, Server, by_id, http};

use crate::{
    watching::{VIDEO, live},
    web::{begin_poll, is_sound},
};

/// What the viewer's microphone hears.
const VIEWER_HZ: f32 = 900.0;

/// What a viewer without a browser is answered: the problem's code where it is one.
async fn does(address: &str, viewer: &str, action: Value) -> Result<std::result::Result<Value, String>> {
    let answer = http().post(format!("{address}/actions")).json(&json!({"viewer": viewer, "action": action}));
    let answer = answer.send().await?;
    let is_done = answer.status() == 200;
    let body: Value = answer.json().await?;
    Ok(if is_done { Ok(body) } else { Err(body["code"].as_str().unwrap_or_default().to_owned()) })
}

// product: B4, C17
#[tokio::test(flavor = "multi_thread")]
async fn viewers_ask_vote_react_and_raise_their_hands() -> Result<()> {
    let server = Server::start()?;
    tokio::task::spawn_blocking(move || -> Result<()> {
        let runtime = tokio::runtime::Handle::current();
        let (mut host, watch) = live(&server)?;
        let address = watch.replace("/watch/", "/live/");
        let mut viewer = Browser::start(0.0, Colour::Green)?;
        viewer.resize(360, 740)?;
        viewer.open(&watch)?;
        viewer.see(&by_id("watch-chat"))?;

        // By the keyboard to the questions, and one is asked.
        viewer.evaluate("document.querySelector('[data-testid=watch-tab-chat]').focus()")?;
        viewer.press("ArrowRight")?;
        viewer.see("[data-testid=watch-tab-questions][aria-selected=true]")?;
        viewer.fill("watch-chat-name", "观众甲")?;
        viewer.fill("watch-chat-text", "什么时候发布？")?;
        viewer.press("Enter")?;
        viewer.see(&by_id("watch-question"))?;
        // Somebody else asks too, and what most want to know stands first.
        let ask = json!({"type": "ask", "name": "乙", "text": "多少钱？"});
        let asked = runtime.block_on(does(&address, "b0b", ask))?;
        assert!(asked.is_ok(), "{asked:?}");
        viewer.see("[data-testid=watch-question]:nth-child(2)")?;
        let id = |page: &mut Browser, at: u32| -> Result<u64> {
            let id =
                page.evaluate(&format!("document.querySelectorAll('[data-testid=watch-question]')[{at}].dataset.id"))?;
            Ok(id.as_str().context("an id")?.parse()?)
        };
        let (first, second) = (id(&mut viewer, 0)?, id(&mut viewer, 1)?);
        viewer.click_at(&format!("[data-id='{second}'] [data-testid=watch-vote]"))?;
        let vote = |on| json!({"type": "vote_for", "question": second, "on": on});
        for viewer in ["cafe", "cafe", "d00d"] {
            let voted = runtime.block_on(does(&address, viewer, vote(true)))?;
            assert!(voted.is_ok(), "{voted:?}");
        }
        viewer.until(&format!("document.querySelector(\"[data-id='{second}'] .up\").textContent === '▲ 4'"))?;
        assert_eq!((id(&mut viewer, 0)?, id(&mut viewer, 1)?), (second, first));
        assert_eq!(viewer.evaluate("document.documentElement.scrollWidth")?, 360, "it fits a narrow phone");
        is_sound(&mut viewer, "questions on a telephone")?;

        // The host reads them in the same order, answers one and takes the other away.
        host.click("toggle-chat")?;
        host.click_at("[data-testid=chat-side] input[value=viewers] + label")?;
        host.see("[data-testid=viewer-question]:nth-child(1)[data-votes='4']")?;
        host.see("[data-testid=viewer-question]:nth-child(2)[data-votes='1']")?;
        is_sound(&mut host, "viewers' questions")?;
        host.click_at("[data-testid=viewer-question]:nth-child(1) [data-testid=question-answered]")?;
        viewer.see(&format!("[data-id='{second}'][data-answered]"))?;
        let late = runtime.block_on(does(&address, "1a7e", vote(true)))?;
        assert_eq!(late, Err("no_such_question".to_owned()));
        host.click_at("[data-testid=viewer-question]:not([data-answered]) [data-testid=question-remove]")?;
        viewer.miss(&format!("[data-id='{first}']"))?;

        // Without words.
        viewer.click("watch-react-heart")?;
        host.see("[data-testid=viewers-reacted] [data-reaction=heart]")?;
        viewer.click("watch-hand")?;
        viewer.see("[data-testid=watch-hand][aria-pressed=true]")?;
        host.see("[data-testid=viewer-hand][data-name=观众甲]")?;
        is_sound(&mut host, "a viewer's hand")?;
        host.click("viewer-hand-lower")?;
        host.miss(&by_id("viewer-hand"))?;
        viewer.see("[data-testid=watch-hand][aria-pressed=false]")?;

        // A poll for viewers too, of which a telephone shows both states.
        begin_poll(&mut host)?;
        host.type_text("周一")?;
        host.click("poll-viewers")?;
        host.click("poll-start")?;
        viewer.click("watch-tab-polls")?;
        viewer.see(&by_id("watch-poll-vote"))?;
        is_sound(&mut viewer, "a poll on a telephone")?;
        viewer.click_at("[data-testid=watch-poll-choice] >> nth=1")?;
        viewer.click("watch-poll-vote")?;
        let vote = json!({"type": "vote", "poll": 1, "choices": [1]});
        let voted = runtime.block_on(does(&address, "cafe", vote))?;
        assert!(voted.is_ok(), "{voted:?}");
        viewer.see("[data-testid=watch-poll-result][data-votes='2'][data-own]")?;
        is_sound(&mut viewer, "what a poll has come to")?;
        host.see("[data-testid=poll-option]")?;
        host.until("document.querySelector('[data-testid=poll-voters]').textContent.includes('2')")?;

        // What the host switches off is gone from the page, and refused to who asks without one.
        host.click("toggle-chat")?;
        host.click_at("[data-testid=chat-side] input[value=viewers] + label")?;
        host.click("viewers-may-reactions")?;
        viewer.miss(&by_id("watch-react-heart"))?;
        let clap = json!({"type": "react", "reaction": "clap"});
        assert_eq!(runtime.block_on(does(&address, "cafe", clap))?, Err("not_allowed".to_owned()));
        host.click("stop-broadcast")?;
        let over = runtime.block_on(does(&address, "cafe", json!({"type": "lower_hand"})))?;
        assert_eq!(over, Err("not_live".to_owned()));
        viewer.see("[data-testid=watch-state][data-state=ended]")?;
        viewer.miss(&by_id("watch-chat"))
    })
    .await?
}

// product: B4
#[tokio::test(flavor = "multi_thread")]
async fn who_is_called_up_is_heard_in_the_meeting_and_is_a_viewer_again() -> Result<()> {
    let server = Server::start()?;
    tokio::task::spawn_blocking(move || -> Result<()> {
        let runtime = tokio::runtime::Handle::current();
        let (mut host, watch) = live(&server)?;
        let mut viewer = Browser::start(VIEWER_HZ, Colour::Green)?;
        viewer.open(&watch)?;
        viewer.see("[data-testid=watch-state][data-state=playing]")?;
        // The livestream's picture is there without the meeting's code.
        let loaded = "performance.getEntriesByType('resource').some(({ name }) => /stage-.*\\.js/.test(name))";
        assert_eq!(viewer.evaluate(loaded)?, false);
        // Nobody else comes in, by whatever address; whom the host calls up does.
        host.click("more")?;
        host.click("toggle-lock")?;
        let stage = format!("{}/stage", watch.replace("/watch/", "/live/"));
        let uncalled = http().post(stage).json(&json!({"viewer": "cafe", "name": "乙"}));
        let refused: Value = runtime.block_on(async { uncalled.send().await?.json().await })?;
        assert_eq!(refused["code"], "not_called");
        viewer.fill("watch-chat-name", "观众甲")?;
        viewer.click("watch-hand")?;
        host.click_at("[data-notice=viewer_hand] [data-testid=notice-accept]")?;
        host.click("viewer-call-up")?;
        viewer.see("[data-testid=watch-call][open]")?;
        is_sound(&mut viewer, "the host's call")?;
        viewer.click("watch-call-camera")?;
        viewer.click("watch-call-yes")?;
        viewer.see("[data-testid=watch-state][data-state=stage]")?;
        host.wait_to_hear(VIEWER_HZ)?;
        host.see_colour("[data-testid=tile][data-name=观众甲] video", Colour::Green)?;
        viewer.wait_to_hear(700.0)?;
        viewer.see_colour("[data-testid=stage-picture]", Colour::Red)?;
        assert_eq!(viewer.evaluate(&format!("{VIDEO}.paused || !{VIDEO}.currentSrc"))?, true, "nothing is heard twice");
        viewer.resize(360, 740)?;
        is_sound(&mut viewer, "the stage on a telephone")?;
        assert_eq!(viewer.evaluate("document.documentElement.scrollWidth")?, 360);
        viewer.resize(1440, 900)?;

        // Sent back, he sees the livestream again; called once more, he says no.
        host.click("toggle-participants")?;
        host.click_at("[data-testid=participant-row][data-name=观众甲] [data-testid=row-more]")?;
        host.click("row-send-back")?;
        host.miss("[data-testid=participant-row][data-name=观众甲]")?;
        viewer.see("[data-testid=watch-state][data-state=playing]")?;
        viewer.see_colour("[data-testid=watch-video]", Colour::Red)?;
        viewer.click("watch-hand")?;
        host.click("toggle-chat")?;
        host.click("viewer-call-up")?;
        viewer.click("watch-call-no")?;
        host.miss(&by_id("viewer-hand"))?;
        viewer.miss("[data-testid=watch-call][open]")
    })
    .await?
}
