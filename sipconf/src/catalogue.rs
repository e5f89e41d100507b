//! The list of what is said. The texts are in `prompts/<language>.toml`, the sound beside them; both are embedded.

use crate::Language;

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)+) => {
        /// One thing a caller is told.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Prompt {
            $($(#[$doc])* $name,)+
        }

        impl Prompt {
            /// Every prompt.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name in the text catalogue and the files, stable across versions.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)+
                }
            }

            /// The one of this name.
            #[must_use]
            pub fn from_key(key: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|prompt| prompt.key() == key)
            }

            /// The product's Ogg Opus file.
            #[must_use]
            pub fn file(self, language: Language) -> &'static [u8] {
                match (language, self) {
                    $(
                        (Language::ZhCn, Self::$name) => include_bytes!(concat!("../prompts/zh-CN/", $key, ".opus")),
                        (Language::EnUs, Self::$name) => include_bytes!(concat!("../prompts/en-US/", $key, ".opus")),
                    )+
                }
            }
        }
    };
}

catalogue! {
    /// Only the welcome: for a called number that has a language.
    Welcome = "welcome",
    /// Which key chooses this language.
    ChooseLanguage = "choose_language",
    /// Asks for the meeting ID and #.
    EnterMeeting = "enter_meeting",
    /// No such meeting; asks again.
    WrongMeeting = "wrong_meeting",
    /// Asks for the password and #.
    EnterPassword = "enter_password",
    /// Not the password; asks again.
    WrongPassword = "wrong_password",
    /// The caller pressed nothing for too long.
    NothingEntered = "nothing_entered",
    /// Before the goodbye, after the last wrong try.
    TooManyTries = "too_many_tries",
    /// It is not yet time.
    NotStarted = "not_started",
    /// Music follows.
    WaitingForHost = "waiting_for_host",
    /// From here on the caller is heard.
    Joined = "joined",
    /// Nobody else is here.
    OnlyYou = "only_you",
    /// One other person is here.
    OneOther = "others_one",
    /// So many people are here, the caller among them.
    People3 = "people_3",
    /// So many people are here, the caller among them.
    People4 = "people_4",
    /// So many people are here, the caller among them.
    People5 = "people_5",
    /// So many people are here, the caller among them.
    People6 = "people_6",
    /// So many people are here, the caller among them.
    People7 = "people_7",
    /// So many people are here, the caller among them.
    People8 = "people_8",
    /// So many people are here, the caller among them.
    People9 = "people_9",
    /// So many people are here, the caller among them.
    People10 = "people_10",
    /// So many people are here or more.
    PeopleFrom20 = "people_from_20",
    /// So many people are here or more.
    PeopleFrom50 = "people_from_50",
    /// So many people are here or more.
    PeopleFrom100 = "people_from_100",
    /// So many people are here or more.
    PeopleFrom10 = "people_from_10",
    /// So many people are here or more.
    PeopleFrom200 = "people_from_200",
    /// The caller muted himself.
    Muted = "muted",
    /// The caller unmuted himself.
    Unmuted = "unmuted",
    /// The host muted the caller.
    MutedByHost = "muted_by_host",
    /// The host unmuted the caller.
    UnmutedByHost = "unmuted_by_host",
    /// The host forbade it.
    CannotUnmute = "cannot_unmute",
    /// After *9.
    HandRaised = "hand_raised",
    /// After *9 again, or the host took the hand down.
    HandLowered = "hand_lowered",
    /// To the host, after *5.
    AllMuted = "all_muted",
    /// To the host, after *5 again.
    AllUnmuted = "all_unmuted",
    /// To the host, after *7.
    MeetingLocked = "meeting_locked",
    /// To the host, after *7 again.
    MeetingUnlocked = "meeting_unlocked",
    /// After ##: 1 ends the meeting for all.
    ConfirmEnd = "confirm_end",
    /// A key that only the host may use.
    HostOnly = "host_only",
    /// The meeting has no free place.
    RefusedFull = "refused_full",
    /// The meeting is locked.
    RefusedLocked = "refused_locked",
    /// The caller was removed from this meeting before.
    RefusedRemoved = "refused_removed",
    /// The host removed the caller.
    Removed = "removed",
    /// The host ended it, or its time is up.
    MeetingEnded = "meeting_ended",
    /// This server is being stopped.
    ServerStopping = "server_stopping",
    /// Our own failure.
    Failed = "failed",
    /// The keys everyone has.
    Help = "help",
    /// The keys only the host has; after [`Prompt::Help`].
    HelpHost = "help_host",
    /// The host has not let the caller in yet; music follows.
    WaitingForAdmission = "waiting_for_admission",
    /// The host turned the caller away.
    Denied = "denied",
    /// To somebody who was called: which keys take him in, and not.
    Invited = "invited",
    /// Asks for the caller's name; a tone follows.
    SayName = "say_name",
    /// After a recorded name.
    CameIn = "came_in",
    /// After a recorded name.
    Went = "went",
    /// The caller came in muted and may unmute himself.
    JoinedMuted = "joined_muted",
    /// Asks for the host's PIN and #.
    EnterPin = "enter_pin",
    /// Not the host's PIN.
    WrongPin = "wrong_pin",
    /// The caller is the host from now on.
    YouAreHost = "you_are_host",
    /// The caller is a co-host from now on.
    YouAreCoHost = "you_are_co_host",
    /// To the host: a quarter of an hour is left, and how to extend it.
    EndsSoon = "ends_soon",
    /// To all: five minutes are left.
    EndsIn5 = "ends_in_5",
    /// To the host, after #3.
    Extended = "extended",
    /// To the host, after #3.
    CannotExtend = "cannot_extend",
    /// The caller hears a breakout room from now on.
    InBreakout = "in_breakout",
    /// And the main room again.
    InMainRoom = "in_main_room",
    /// Asks for the number of a breakout room and #.
    EnterRoom = "enter_room",
    /// Not the number of a breakout room.
    NoSuchRoom = "no_such_room",
    /// Something is asked of all.
    PollOpen = "poll_open",
    /// Asks for the number of an answer and #.
    EnterVote = "enter_vote",
    /// The vote counts.
    Voted = "voted",
    /// Nothing is asked, or not that.
    NoPoll = "no_poll",
    /// To all: what is said is recorded.
    RecordingOn = "recording_on",
    /// To all: no longer.
    RecordingOff = "recording_off",
    /// To the host: somebody is at the door, and how to let him in.
    SomeoneWaiting = "someone_waiting",
    /// To the host, after #6.
    AllAdmitted = "all_admitted",
    /// More keys everyone has; after [`Prompt::Help`].
    HelpMore = "help_more",
    /// More keys only the host has; after [`Prompt::HelpHost`].
    HelpHostMore = "help_host_more",
    /// Not the number of a meeting, or not its password: which of both is not said.
    WrongEntry = "wrong_entry",
    /// To the hosts: nobody comes in by password for a while.
    DoorClosed = "door_closed",
    /// Asks for a telephone number and #.
    EnterDial = "enter_dial",
    /// To the host: a telephone is called.
    Dialing = "dialing",
    /// To the host: it isn't.
    CannotDial = "cannot_dial",
    /// To the host: whom he called doesn't come.
    DialFailed = "dial_failed",
    /// The last words before hanging up.
    Goodbye = "goodbye",
}

impl Prompt {
    /// How many people are here: exact up to ten, then "at least".
    #[must_use]
    pub fn people(count: usize) -> Self {
        match count {
            0..=1 => Self::OnlyYou,
            2 => Self::OneOther,
            3 => Self::People3,
            4 => Self::People4,
            5 => Self::People5,
            6 => Self::People6,
            7 => Self::People7,
            8 => Self::People8,
            9 => Self::People9,
            10 => Self::People10,
            11..20 => Self::PeopleFrom10,
            20..50 => Self::PeopleFrom20,
            50..100 => Self::PeopleFrom50,
            100..200 => Self::PeopleFrom100,
            200.. => Self::PeopleFrom200,
        }
    }

    /// What the product's says.
    #[must_use]
    pub fn text(self, language: Language) -> String {
        let begin = format!("{} = \"", self.key());
        let line = Self::texts(language).lines().find_map(|line| line.strip_prefix(&begin));
        line.and_then(|line| line.strip_suffix('"')).unwrap_or_default().to_owned()
    }

    /// The texts, as TOML: key = text.
    pub(crate) fn texts(language: Language) -> &'static str {
        match language {
            Language::ZhCn => include_str!("../prompts/zh-CN.toml"),
            Language::EnUs => include_str!("../prompts/en-US.toml"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P3
    #[test]
    fn every_prompt_has_its_name_and_its_text() {
        let prompts = crate::Prompts::load().unwrap();
        for prompt in Prompt::ALL.iter().copied() {
            assert_eq!(Prompt::from_key(prompt.key()), Some(prompt));
            for language in Language::ALL {
                assert_eq!(prompt.text(language), prompts.text(language, prompt), "{}", prompt.key());
            }
        }
        assert_eq!(Prompt::from_key("none"), None);
    }

    // product: P3, P4
    #[test]
    fn any_number_of_people_has_its_words() {
        let key = |count| Prompt::people(count).key();
        assert_eq!([0, 1, 2].map(key), ["only_you", "only_you", "others_one"]);
        assert!((3..=10).all(|count| key(count) == format!("people_{count}")));
        assert_eq!([11, 19, 20, 99].map(key), ["people_from_10", "people_from_10", "people_from_20", "people_from_50"]);
        assert_eq!(
            [100, 199, 200, 500].map(key),
            ["people_from_100", "people_from_100", "people_from_200", "people_from_200"]
        );
    }
}
