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

            /// The Ogg Opus file.
            pub(crate) fn file(self, language: Language) -> &'static [u8] {
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
    /// The number dialled directly is no meeting's.
    NoSuchMeeting = "no_such_meeting",
    /// It is not yet time.
    NotStarted = "not_started",
    /// Music follows.
    WaitingForHost = "waiting_for_host",
    /// While the seat is taken.
    Joining = "joining",
    /// From here on the caller is heard.
    Joined = "joined",
    /// Nobody else is here.
    OnlyYou = "only_you",
    /// One other person is here.
    OneOther = "others_one",
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
    /// The last words before hanging up.
    Goodbye = "goodbye",
}

impl Prompt {
    /// The texts, as TOML: key = text.
    pub(crate) fn texts(language: Language) -> &'static str {
        match language {
            Language::ZhCn => include_str!("../prompts/zh-CN.toml"),
            Language::EnUs => include_str!("../prompts/en-US.toml"),
        }
    }
}
