//! Why a call ended: SIP answer, metric and spoken words in one table.

use conference::EndReason;
use model::Refusal;
use sipconf::Prompt;

use crate::arrivals::Over;

/// The one reason a call ended, by whichever side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// The caller hung up.
    HungUp,
    /// The caller gave up before the answer.
    Canceled,
    /// No codec of ours, or no offer.
    NotAcceptable,
    /// Three times a wrong number or nothing.
    NoMeeting,
    /// Three times a wrong password.
    WrongPassword,
    /// The meeting closed its door for a while.
    TooManyTries,
    Full,
    Locked,
    /// Its time has not come.
    NotYet,
    /// The host did not let him in.
    Denied,
    /// Removed by the host.
    Removed,
    /// Removed before, and not asked in again.
    NotAgain,
    MeetingEnded,
    ServerStopping,
    /// Nothing was heard of him.
    NoMedia,
    /// We called, and he spoke with somebody else.
    Busy,
    /// We called, and nobody took it or said whether he comes.
    NoAnswer,
    /// We called, and he doesn't come.
    Declined,
    /// We called a number that leads nowhere.
    NoSuchNumber,
    /// We called, and the site has no more to spend.
    Spent,
    /// His seat was taken by a newer call, or he fell behind.
    Replaced,
    /// He goes to another meeting.
    Moved,
    /// All ports for sound are taken.
    NoRoom,
    /// His carrier has all calls here that it may have.
    TrunkLimit,
    /// His number has.
    NumberLimit,
    Failed,
}

impl EndCause {
    /// Status code and reason phrase, where the call was not answered yet (RFC 3261 §21).
    pub(crate) fn refusal(self) -> (u16, &'static str) {
        match self {
            Self::NotAcceptable => (488, "Not Acceptable Here"),
            Self::NoMeeting => (404, "Not Found"),
            Self::Full | Self::TooManyTries | Self::NumberLimit => (486, "Busy Here"),
            Self::Locked | Self::Denied | Self::Removed | Self::NotAgain | Self::WrongPassword => (403, "Forbidden"),
            Self::ServerStopping | Self::NoRoom | Self::TrunkLimit => (503, "Service Unavailable"),
            Self::HungUp | Self::Canceled => (487, "Request Terminated"),
            Self::MeetingEnded
            | Self::NotYet
            | Self::NoMedia
            | Self::Replaced
            | Self::Moved
            | Self::Spent
            | Self::Busy
            | Self::NoAnswer
            | Self::Declined
            | Self::NoSuchNumber => (480, "Temporarily Unavailable"),
            Self::Failed => (500, "Server Internal Error"),
        }
    }

    /// The label in `gateway_calls_ended`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::HungUp => "hung_up",
            Self::Canceled => "canceled",
            Self::NotAcceptable => "not_acceptable",
            Self::NoMeeting => "no_meeting",
            Self::WrongPassword => "wrong_password",
            Self::TooManyTries => "too_many_tries",
            Self::Full => "full",
            Self::Locked => "locked",
            Self::NotYet => "not_yet",
            Self::Denied => "denied",
            Self::Removed => "removed",
            Self::NotAgain => "not_again",
            Self::MeetingEnded => "meeting_ended",
            Self::ServerStopping => "server_stopping",
            Self::NoMedia => "no_media",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Declined => "declined",
            Self::NoSuchNumber => "no_such_number",
            Self::Spent => "spent",
            Self::Replaced => "replaced",
            Self::Moved => "moved",
            Self::NoRoom => "no_room",
            Self::TrunkLimit => "trunk_limit",
            Self::NumberLimit => "number_limit",
            Self::Failed => "failed",
        }
    }

    /// What the caller hears before the line goes dead; nothing where nobody listens.
    pub(crate) fn words(self) -> &'static [Prompt] {
        match self {
            Self::HungUp | Self::Canceled | Self::NotAcceptable | Self::NoMedia | Self::Replaced => &[],
            Self::Moved | Self::TrunkLimit | Self::NumberLimit => &[],
            Self::Busy | Self::NoSuchNumber => &[],
            Self::NoAnswer | Self::Declined | Self::Spent => &[Prompt::Goodbye],
            Self::NoMeeting | Self::WrongPassword => &[Prompt::TooManyTries, Prompt::Goodbye],
            Self::TooManyTries => &[Prompt::TooManyTries, Prompt::Goodbye],
            Self::Full => &[Prompt::RefusedFull, Prompt::Goodbye],
            Self::Locked => &[Prompt::RefusedLocked, Prompt::Goodbye],
            Self::NotYet => &[Prompt::NotStarted, Prompt::Goodbye],
            Self::Denied => &[Prompt::Denied, Prompt::Goodbye],
            Self::Removed => &[Prompt::Removed],
            Self::NotAgain => &[Prompt::RefusedRemoved, Prompt::Goodbye],
            Self::MeetingEnded => &[Prompt::MeetingEnded],
            Self::ServerStopping => &[Prompt::ServerStopping],
            Self::NoRoom | Self::Failed => &[Prompt::Failed, Prompt::Goodbye],
        }
    }
}

impl From<Over> for EndCause {
    fn from(over: Over) -> Self {
        match over {
            Over::Trunk => Self::TrunkLimit,
            Over::Number => Self::NumberLimit,
        }
    }
}

impl From<Refusal> for EndCause {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchMeeting | Refusal::NoSuchParticipant => Self::NoMeeting,
            Refusal::PasswordNeeded | Refusal::WrongPassword => Self::WrongPassword,
            Refusal::TooManyTries => Self::TooManyTries,
            Refusal::Full => Self::Full,
            Refusal::Locked => Self::Locked,
            Refusal::Removed => Self::NotAgain,
            Refusal::NotYet => Self::NotYet,
            Refusal::Draining => Self::ServerStopping,
            Refusal::Denied => Self::Denied,
            Refusal::Ended => Self::MeetingEnded,
            _ => Self::Failed,
        }
    }
}

impl From<EndReason> for EndCause {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Removed => Self::Removed,
            EndReason::MeetingEnded | EndReason::TimeUp => Self::MeetingEnded,
            EndReason::Left => Self::HungUp,
            EndReason::Replaced | EndReason::TooSlow => Self::Replaced,
            EndReason::ServerStopping => Self::ServerStopping,
        }
    }
}
