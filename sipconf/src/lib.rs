//! The dial plan: what an operator sets about telephony, and what callers hear and key.
//!
//! Here: the languages callers choose from, the spoken prompts with their sound (embedded, as Ogg Opus), tones and
//! music, the keypad of the meeting as a state machine, what the dialled numbers lead to, and by which carrier we call. Pure: no IO, no clock. The order in which a caller hears
//! things is the script of `gateway::ivr`; who may do what a key asks for, `model` decides.
#![warn(missing_docs)]

mod accounts;
mod announce;
mod catalogue;
mod encryption;
mod keypad;
mod language;
mod loudness;
mod numbers;
mod ogg_opus;
mod prompts;
mod site_prompts;
mod tolls;
mod tones;
mod trunks;
mod upload;

pub use accounts::{Account, AccountError};
pub use announce::Announce;
pub use catalogue::Prompt;
pub use encryption::Encryption;
pub use keypad::{CONFIRM_WITHIN, KEY_GAP, KeyMap, KeyMapError, Keypad, KeypadCommand};
pub use language::Language;
pub use numbers::{Numbers, NumbersError, Route};
pub use prompts::{PromptError, Prompts, greeting, join};
pub use site_prompts::SitePrompts;
pub use tolls::{Barred, BarredError, Price, PriceError};
pub use trunks::{DialPlan, Dialled, Transport, Trunk, TrunkError, without_spaces};
pub use upload::{Taken, UPLOAD_BYTES_MAX, UploadError, take as take_prompt};
