//! What who watches a livestream does besides watching (B4), and what of it a meeting's people are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ParticipantId, Reaction};

/// What a viewer does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ViewerAction {
    /// Writes in the livestream's chat. It has a route of its own.
    #[serde(skip)]
    Say {
        /// What he calls himself.
        name: String,
        /// What.
        text: String,
    },
    /// Asks the meeting's hosts something.
    Ask {
        /// What he calls himself.
        name: String,
        /// What; at most 300 characters.
        text: String,
    },
    /// Wants a question answered, or no longer.
    VoteFor {
        /// Which.
        question: u64,
        /// Or no longer.
        on: bool,
    },
    /// Votes in a poll that is open to viewers; takes the place of an earlier vote.
    Vote {
        /// Which poll.
        poll: u32,
        /// Which answers, from zero.
        choices: Vec<usize>,
    },
    /// Says something without words.
    React {
        /// How.
        reaction: Reaction,
    },
    /// Raises his hand. It is up for a minute; who means it longer says so again.
    RaiseHand {
        /// What he calls himself.
        name: String,
    },
    /// Takes it down.
    LowerHand,
}

/// What a livestream's viewers may do; hosts say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ViewersMay {
    /// Write in its chat.
    pub chat: bool,
    /// Ask, and vote for questions.
    pub questions: bool,
    /// React.
    pub reactions: bool,
    /// Raise their hands.
    pub hands: bool,
}

impl Default for ViewersMay {
    fn default() -> Self {
        Self { chat: true, questions: true, reactions: true, hands: true }
    }
}

/// Something a viewer asks.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Question {
    /// Grows in this meeting; no message of its chat has it.
    pub id: u64,
    /// Who asks: nobody's seat.
    pub from: ParticipantId,
    /// What he calls himself.
    pub name: String,
    /// What.
    pub text: String,
    /// Viewers who want it answered, who asks among them.
    pub votes: u32,
    /// A host has said that it is.
    pub answered: bool,
    /// When, milliseconds since 1970, UTC.
    pub at_ms: i64,
}

/// How many want a question answered by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
pub struct QuestionVotes {
    /// Which.
    pub id: u64,
    /// [`Question::votes`].
    pub votes: u32,
}

/// Viewers who reacted alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ReactionSum {
    /// How.
    pub reaction: Reaction,
    /// How often.
    pub count: u32,
}

/// A viewer's raised hand, as hosts see it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ViewerHand {
    /// Who: nobody's seat.
    pub viewer: ParticipantId,
    /// What he calls himself.
    pub name: String,
    /// A host has called him up, and he has not come yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub called: bool,
}
