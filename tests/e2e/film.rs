//! Eight people meet, seven of whom are simulated, as a film of pictures for docs/screens/film: made by `make pictures`.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use tests::{Baresip, Browser, Client, Codec, Server, Sitter, by_id};

use crate::{
    pictures::{keep, somebody},
    troubles::SIZES,
};

fn shoot(page: &mut Browser, scene: &str) -> Result<()> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/screens/film");
    std::fs::create_dir_all(&folder)?;
    for ((width, height), size) in SIZES.into_iter().zip(["desk", "phone"]) {
        page.resize(width, height)?;
        page.set_finger(size == "phone")?;
        // What moves has arrived, and pictures have come.
        page.evaluate("new Promise(done => setTimeout(done, 600))")?;
        keep(page, &folder.join(format!("{scene}.{size}.png")))?;
    }
    page.set_finger(false)?;
    page.resize(1440, 900)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens/film: make pictures"]
async fn pictures_of_eight_people_who_meet() -> Result<()> {
    let server = Server::start()?;
    let mut host = somebody("zh-CN", "0x2f6f7e", 0.0)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    shoot(&mut host, "1-alone")?;

    // Two more browsers, four clients without a picture, a telephone.
    let mut sharer = somebody("zh-CN", "0x7a5c86", 0.0)?;
    sharer.join(server.web, &server.meeting, "李雷", &server.password)?;
    let mut guest = somebody("zh-CN", "0x86705c", 0.0)?;
    guest.join(server.web, &server.meeting, "Ada King", &server.password)?;
    let mut others = Vec::new();
    for name in ["林涛", "吴敏", "Jim Green", "سارا کریمی"] {
        let join = json!({"type": "join", "name": name, "password": server.password});
        others.push(Sitter::new(Client::join(server.web, &server.meeting, join, None).await?));
    }
    let mut phone = Baresip::start("13812345678", Codec::Opus, 900.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    host.until("document.querySelectorAll('[data-testid=participant-row]').length === 8")?;
    host.until("[...document.querySelectorAll('[data-testid=tile] video')].filter(v => v.readyState > 2).length >= 2")?;
    shoot(&mut host, "2-all-are-here")?;
    host.see("[data-testid=tile][data-via=phone][data-speaking=true]")?;
    host.press("w")?;
    shoot(&mut host, "3-a-caller-speaks")?;

    sharer.click("share")?;
    sharer.click("share-whiteboard")?;
    let board = by_id("whiteboard");
    sharer.see(&format!("{board}[data-state=ready]"))?;
    sharer.drag(&board, (0.1, 0.2), (0.35, 0.7))?;
    sharer.click("board-ellipse")?;
    sharer.click("board-blue")?;
    sharer.drag(&board, (0.5, 0.2), (0.85, 0.7))?;
    host.until("document.querySelector('[data-testid=whiteboard]')?.dataset.elements === '2'")?;
    shoot(&mut host, "4-one-shares")?;
    sharer.click("stop-sharing")?;
    host.miss(&board)?;

    guest.press("r")?;
    others[0].command(json!({"type": "hand", "up": true})).await?;
    host.until("window.huitong.state.participants.filter(one => one.hand).length === 2")?;
    shoot(&mut host, "5-hands")?;
    host.click("mute-all")?;
    host.until("window.huitong.state.participants.filter(one => !one.muted).length <= 1")?;
    shoot(&mut host, "6-all-are-muted")?;
    shoot(&mut guest, "6-all-are-muted-guest")?;

    let seat = guest.evaluate("window.huitong.you")?;
    guest.set_offline(true)?;
    guest.evaluate("window.huitong.reconnect()")?;
    guest.see(&by_id("reconnecting"))?;
    shoot(&mut guest, "7-a-network-is-lost")?;
    guest.set_offline(false)?;
    guest.until("window.huitong?.state.phase === 'joined' && window.huitong.state.receiving")?;
    assert_eq!(guest.evaluate("window.huitong.you")?, seat);
    shoot(&mut guest, "8-and-is-back")
}
