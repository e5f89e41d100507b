use super::*;

// product: P4
#[test]
fn the_pin_makes_a_caller_host_where_others_key_the_password() {
    let mut meeting = meeting();
    let web_host = join(&mut meeting, web(1, Some(OWNER)));
    let caller = join(&mut meeting, Join { password: Some(PIN.to_owned()), ..phone(3) });
    let role = |meeting: &Meeting, id| meeting.participant(id).unwrap().role;
    assert_eq!((role(&meeting, caller), role(&meeting, web_host)), (Role::Host, Role::Member));
    // A browser has an account for that.
    let stranger = Join { password: Some(PIN.to_owned()), ..web(4, None) };
    assert_eq!(meeting.handle(Command::Join(stranger), NOW), Err(Refusal::WrongPassword));
}

// product: P4, J2
#[test]
fn the_pin_can_be_keyed_in_the_meeting_and_is_not_to_be_guessed() {
    let (mut meeting, [host, guest, caller]) = three();
    let claim = |pin: &str| Action::ClaimHost { pin: pin.to_owned() };
    assert_eq!(act(&mut meeting, guest, claim(PIN)), Err(Refusal::WrongPassword), "not from a browser");
    assert_eq!(act(&mut meeting, caller, claim("24680136")), Err(Refusal::WrongPassword));
    let effects = act(&mut meeting, caller, claim(PIN)).unwrap();
    assert!(effects.contains(&Effect::Notify(caller, Notice::MadeHost)), "{effects:?}");
    assert_eq!(meeting.participant(caller).unwrap().role, Role::Host);
    assert_eq!(meeting.participant(host).unwrap().role, Role::Member);
    for _ in 0..9 {
        assert_eq!(act(&mut meeting, caller, claim("246801350")), Err(Refusal::WrongPassword));
    }
    assert_eq!(act(&mut meeting, caller, claim(PIN)), Err(Refusal::TooManyTries));
}

// product: P4, P5
#[test]
fn a_colleague_who_keys_his_own_pin_is_seated_under_his_name() {
    let (mut meeting, [_, guest, caller]) = three();
    let account = account(77);
    let known = |by| Command::Known { by, account, name: "王芳".to_owned(), avatar: None };
    assert_eq!(meeting.handle(known(guest), NOW), Err(Refusal::NotAllowed), "not from a browser");
    assert!(!meeting.handle(known(caller), NOW).unwrap().is_empty(), "all are told");
    let person = meeting.participant(caller).unwrap();
    assert_eq!((person.name.as_str(), person.role), ("王芳", Role::Member));
    assert!(person.number.is_some(), "it is seen that he came by telephone");
    assert_eq!(meeting.account_of(caller), Some(account));
    for _ in 0..10 {
        let wrong = Action::ClaimHost { pin: "24680136".to_owned() };
        assert_eq!(act(&mut meeting, caller, wrong), Err(Refusal::WrongPassword));
    }
    assert_eq!(meeting.handle(known(caller), NOW), Err(Refusal::TooManyTries), "who guesses hits none by luck");
}

// product: P4, J2, J3
#[test]
fn a_pin_is_counted_at_the_door_too_where_there_is_no_password() {
    let mut meeting = Meeting::new(Rules { password: None, ..rules() });
    let with = |pin: Option<&str>| Command::Join(Join { password: pin.map(str::to_owned), ..phone(3) });
    for _ in 0..10 {
        assert_eq!(meeting.handle(with(Some("000000")), NOW), Err(Refusal::WrongPassword));
    }
    assert_eq!(meeting.handle(with(Some(PIN)), NOW), Err(Refusal::TooManyTries));
    assert!(meeting.handle(with(None), NOW).is_ok(), "without a PIN he may come in as before");
}

// product: P4, J3
#[test]
fn a_host_by_telephone_begins_the_meeting() {
    let options = Options { join_before_host: false, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, ..rules() });
    let waits = meeting.handle(Command::Join(phone(3)), NOW).unwrap();
    assert!(waits.contains(&Effect::Waits(seat(3), WaitReason::Host)));
    let effects = meeting.handle(Command::Join(Join { password: Some(PIN.to_owned()), ..phone(4) }), NOW).unwrap();
    assert!(effects.contains(&Effect::Seated { participant: seat(3), again: false }), "{effects:?}");
    assert_eq!(meeting.participant(seat(4)).unwrap().role, Role::Host);
}
