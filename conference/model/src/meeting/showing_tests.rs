use super::*;
use crate::{FileKind, HandedFile, Shown, ShownView};

fn file() -> HandedFile {
    HandedFile { id: Uuid::from_u128(5), name: "报告.pdf".to_owned(), bytes: 12 }
}

fn shown(meeting: &Meeting) -> Option<ShownView> {
    meeting.snapshot().meeting.shown
}

fn page(url: &str) -> Action {
    Action::ShowPage { url: url.to_owned(), name: None }
}

fn document() -> Action {
    Action::ShowFile { kind: FileKind::Document, file: file() }
}

// product: C20
#[test]
fn a_document_is_paged_together_by_who_shows_it_and_by_hosts() {
    let (mut meeting, [host, guest, caller]) = three();
    let other = join(&mut meeting, web(4, None));
    assert_eq!(act(&mut meeting, caller, Action::ShowWhiteboard), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, guest, Action::TurnTo { page: 2 }), Err(Refusal::NotShown));
    act(&mut meeting, guest, document()).unwrap();
    for (who, to) in [(guest, 2), (host, 7)] {
        act(&mut meeting, who, Action::TurnTo { page: to }).unwrap();
        let what = Shown::Document { file: file(), page: to };
        assert_eq!(shown(&meeting), Some(ShownView { by: guest, what }));
    }
    assert_eq!(act(&mut meeting, other, Action::TurnTo { page: 3 }), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, guest, Action::TurnTo { page: 0 }), Err(Refusal::NotShown));
    assert_eq!(act(&mut meeting, other, Action::StopShowing), Err(Refusal::NotAllowed));
    let effects = act(&mut meeting, host, Action::StopShowing).unwrap();
    assert!(effects.contains(&Effect::Notify(guest, Notice::ShareStopped)));
    assert_eq!(shown(&meeting), None);
}

// product: C13, C20
#[test]
fn what_members_show_ends_with_the_share_lock_and_nothing_new_is_shown() {
    let (mut meeting, [host, guest, _]) = three();
    act(&mut meeting, guest, Action::ShowWhiteboard).unwrap();
    let effects = act(&mut meeting, host, Action::LockShare { on: true }).unwrap();
    assert!(effects.contains(&Effect::Notify(guest, Notice::ShareStopped)));
    assert_eq!(shown(&meeting), None);
    for action in [Action::ShowWhiteboard, page("https://example.com"), document()] {
        assert_eq!(act(&mut meeting, guest, action), Err(Refusal::ShareLocked));
    }
    act(&mut meeting, host, Action::ShowWhiteboard).unwrap();
    act(&mut meeting, host, Action::LockShare { on: false }).unwrap();
    assert_eq!(shown(&meeting).map(|shown| shown.by), Some(host), "the host's own stays");
}

// product: C20
#[test]
fn the_newest_is_shown_and_goes_with_who_showed_it() {
    let (mut meeting, [host, guest, _]) = three();
    act(&mut meeting, guest, page("https://example.com/a")).unwrap();
    assert_eq!(act(&mut meeting, guest, page("javascript:alert(1)")), Err(Refusal::BadPage));
    let effects = act(&mut meeting, host, Action::ShowWhiteboard).unwrap();
    assert!(effects.contains(&Effect::Notify(guest, Notice::ShareStopped)));
    // The picture of it that goes to the audience is his own screen.
    act(&mut meeting, host, Action::Screen { on: true }).unwrap();
    assert!(shown(&meeting).is_some());
    act(&mut meeting, guest, Action::Screen { on: true }).unwrap();
    assert_eq!(shown(&meeting), None, "another's screen takes its place");
    act(&mut meeting, guest, Action::ShowWhiteboard).unwrap();
    act(&mut meeting, guest, Action::Leave).unwrap();
    assert_eq!(shown(&meeting), None);
}

// product: C20
#[test]
fn all_who_see_the_whiteboard_draw_on_it() {
    let (mut meeting, [host, guest, caller]) = three();
    let draw = |text: &str| Action::Draw { drawing: text.to_owned() };
    assert_eq!(act(&mut meeting, guest, draw("AAAA")), Err(Refusal::NotShown));
    act(&mut meeting, host, Action::ShowWhiteboard).unwrap();
    assert_eq!(act(&mut meeting, guest, draw("AAAA")), Ok(vec![Effect::Draw(guest, "AAAA".to_owned())]));
    assert_eq!(act(&mut meeting, caller, draw("AAAA")), Err(Refusal::NotShown));
    for bad in ["", "<b>", "AA AA", &"A".repeat(40_000)] {
        assert_eq!(act(&mut meeting, guest, draw(bad)), Err(Refusal::BadText));
    }
    act(&mut meeting, host, Action::OpenBreakouts { rooms: 1, spread: false }).unwrap();
    act(&mut meeting, guest, Action::MoveTo { participant: guest, room: Some(1) }).unwrap();
    assert_eq!(act(&mut meeting, guest, draw("AAAA")), Err(Refusal::NotShown), "he is in another room");
}
