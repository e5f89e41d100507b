//! The keys of a meeting: two for every command, so that a cough into the phone mutes nobody.
//!
//! No command can come out of another one that lost a key on its way: one key alone never means anything, and ending
//! the meeting takes three.

use std::time::{Duration, Instant};

use serde::Deserialize;

/// The second key of a pair must follow within this time. Longer, and a star pressed by chance waits for the next
/// cough; shorter, and people who look at the phone between two keys are too slow.
pub const KEY_GAP: Duration = Duration::from_secs(4);

/// How long the question "end the meeting?" waits for its key: the question itself takes three seconds.
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(12);

/// The key that says yes to [`KeypadCommand::AskEnd`].
const CONFIRM_KEY: char = '1';

/// What a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeypadCommand {
    /// Mute or unmute oneself: `*6`.
    ToggleMute,
    /// Raise or lower the hand: `*9`.
    ToggleHand,
    /// Hear who is here: `*1`.
    WhoIsHere,
    /// Hear the others louder: `*2`.
    Louder,
    /// Hear the others softer: `*3`.
    Softer,
    /// A room system: see the meeting put together otherwise: `*8`.
    OtherLayout,
    /// Hear the keys: `**`.
    Help,
    /// Host: mute or unmute all: `*5`.
    ToggleMuteAll,
    /// Host: lock or unlock the meeting: `*7`.
    ToggleLock,
    /// Host: wants to end the meeting, to be asked back: `##`.
    AskEnd,
    /// Become host, by PIN: `*0`.
    ClaimHost,
    /// Go into a breakout room: `#7`.
    ChooseRoom,
    /// Answer what was asked of all: `#8`.
    Vote,
    /// Host: half an hour longer: `#3`.
    Extend,
    /// Host: let in all who wait: `#6`.
    AdmitAll,
    /// Host: call somebody: `#9`.
    Dial,
    /// Host: yes, end the meeting for all: `1` after [`KeypadCommand::AskEnd`].
    End,
}

/// Which pair of keys means what. In a configuration file, a table of the fields below, each two keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Pairs")]
pub struct KeyMap(Vec<([char; 2], KeypadCommand)>);

/// Why a key map is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyMapError {
    /// Not two keys, or keys no telephone has.
    #[error("{0:?} is not two keys of a telephone")]
    NotTwoKeys(String),
    /// A pair that begins with a digit would be keyed by chance.
    #[error("{0:?} does not begin with * or #")]
    Plain(String),
    /// Two commands with the same keys.
    #[error("{0:?} means two things")]
    Twice(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Pairs {
    mute: String,
    hand: String,
    who: String,
    louder: String,
    softer: String,
    layout: String,
    help: String,
    mute_all: String,
    lock: String,
    end: String,
    claim_host: String,
    room: String,
    vote: String,
    extend: String,
    admit: String,
    dial: String,
}

impl Default for Pairs {
    fn default() -> Self {
        Self {
            mute: "*6".into(),
            hand: "*9".into(),
            who: "*1".into(),
            louder: "*2".into(),
            softer: "*3".into(),
            layout: "*8".into(),
            help: "**".into(),
            mute_all: "*5".into(),
            lock: "*7".into(),
            end: "##".into(),
            claim_host: "*0".into(),
            room: "#7".into(),
            vote: "#8".into(),
            extend: "#3".into(),
            admit: "#6".into(),
            dial: "#9".into(),
        }
    }
}

impl TryFrom<Pairs> for KeyMap {
    type Error = KeyMapError;

    fn try_from(pairs: Pairs) -> Result<Self, KeyMapError> {
        let wanted = [
            (pairs.mute, KeypadCommand::ToggleMute),
            (pairs.hand, KeypadCommand::ToggleHand),
            (pairs.who, KeypadCommand::WhoIsHere),
            (pairs.louder, KeypadCommand::Louder),
            (pairs.softer, KeypadCommand::Softer),
            (pairs.layout, KeypadCommand::OtherLayout),
            (pairs.help, KeypadCommand::Help),
            (pairs.mute_all, KeypadCommand::ToggleMuteAll),
            (pairs.lock, KeypadCommand::ToggleLock),
            (pairs.end, KeypadCommand::AskEnd),
            (pairs.claim_host, KeypadCommand::ClaimHost),
            (pairs.room, KeypadCommand::ChooseRoom),
            (pairs.vote, KeypadCommand::Vote),
            (pairs.extend, KeypadCommand::Extend),
            (pairs.admit, KeypadCommand::AdmitAll),
            (pairs.dial, KeypadCommand::Dial),
        ];
        let mut map = Vec::new();
        for (text, command) in wanted {
            let keys: Vec<char> = text.chars().collect();
            let [first, second] = keys[..] else { return Err(KeyMapError::NotTwoKeys(text)) };
            if !is_key(first) || !is_key(second) {
                return Err(KeyMapError::NotTwoKeys(text));
            }
            if first.is_ascii_digit() {
                return Err(KeyMapError::Plain(text));
            }
            if map.iter().any(|(keys, _)| *keys == [first, second]) {
                return Err(KeyMapError::Twice(text));
            }
            map.push(([first, second], command));
        }
        Ok(Self(map))
    }
}

impl Default for KeyMap {
    fn default() -> Self {
        Self::try_from(Pairs::default()).expect("the default keys differ from each other")
    }
}

impl KeyMap {
    fn command(&self, keys: [char; 2]) -> Option<KeypadCommand> {
        self.0.iter().find(|(pair, _)| *pair == keys).map(|(_, command)| *command)
    }

    fn begins_a_pair(&self, key: char) -> bool {
        self.0.iter().any(|(pair, _)| pair[0] == key)
    }
}

/// One caller's keys in the meeting.
#[derive(Debug, Clone, Default)]
pub struct Keypad {
    map: KeyMap,
    state: State,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Idle,
    Half {
        first: char,
        until: Instant,
    },
    AskedToEnd {
        until: Instant,
    },
}

impl Keypad {
    /// A caller's keypad with other keys than the usual ones.
    #[must_use]
    pub fn new(map: KeyMap) -> Self {
        Self { map, state: State::Idle }
    }

    /// A key: `0` to `9`, `*` or `#`; any other breaks a pair. A key that doesn't complete a pair may begin the next.
    pub fn press(&mut self, key: char, now: Instant) -> Option<KeypadCommand> {
        let command = match self.state {
            State::AskedToEnd { until } if now <= until && key == CONFIRM_KEY => Some(KeypadCommand::End),
            State::Half { first, until } if now <= until => self.map.command([first, key]),
            State::Idle | State::Half { .. } | State::AskedToEnd { .. } => None,
        };
        self.state = match command {
            Some(KeypadCommand::AskEnd) => State::AskedToEnd { until: now + CONFIRM_WITHIN },
            Some(_) => State::Idle,
            None if self.map.begins_a_pair(key) => State::Half { first: key, until: now + KEY_GAP },
            None => State::Idle,
        };
        command
    }
}

fn is_key(key: char) -> bool {
    key.is_ascii_digit() || key == '*' || key == '#'
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: [(&str, &[KeypadCommand]); 16] = [
        ("*6", &[KeypadCommand::ToggleMute]),
        ("*9", &[KeypadCommand::ToggleHand]),
        ("*1", &[KeypadCommand::WhoIsHere]),
        ("*2", &[KeypadCommand::Louder]),
        ("*3", &[KeypadCommand::Softer]),
        ("*8", &[KeypadCommand::OtherLayout]),
        ("**", &[KeypadCommand::Help]),
        ("*5", &[KeypadCommand::ToggleMuteAll]),
        ("*7", &[KeypadCommand::ToggleLock]),
        ("*0", &[KeypadCommand::ClaimHost]),
        ("#7", &[KeypadCommand::ChooseRoom]),
        ("#8", &[KeypadCommand::Vote]),
        ("#3", &[KeypadCommand::Extend]),
        ("#6", &[KeypadCommand::AdmitAll]),
        ("#9", &[KeypadCommand::Dial]),
        ("##1", &[KeypadCommand::AskEnd, KeypadCommand::End]),
    ];

    fn press(keys: &str) -> Vec<KeypadCommand> {
        let (mut keypad, now) = (Keypad::default(), Instant::now());
        keys.chars().filter_map(|key| keypad.press(key, now)).collect()
    }

    fn without(keys: &str, lost: usize) -> String {
        keys.chars().enumerate().filter(|(at, _)| *at != lost).map(|(_, key)| key).collect()
    }

    #[test]
    fn every_pair_is_its_command() {
        // product: P4
        for (keys, commands) in COMMANDS {
            assert_eq!(press(keys), commands, "{keys}");
        }
        assert_eq!(press("*6*6"), [KeypadCommand::ToggleMute; 2]);
    }

    #[test]
    fn no_command_is_reached_by_losing_a_key_of_another() {
        // product: P4. `##` may still ask; only the whole `##1` ends.
        for (keys, _) in COMMANDS {
            for lost in 0..keys.len() {
                let heard = press(&without(keys, lost));
                assert!(heard.is_empty() || heard == [KeypadCommand::AskEnd], "{keys} without key {lost}: {heard:?}");
            }
        }
    }

    #[test]
    fn two_commands_less_a_key_do_nothing_but_what_was_keyed_or_a_word() {
        // product: P4. Help and the question whether to end are words in one ear; nothing comes of them.
        for (first, of_first) in COMMANDS {
            for (second, of_second) in COMMANDS {
                let keys = format!("{first}{second}");
                for lost in 0..keys.len() {
                    for command in press(&without(&keys, lost)) {
                        let keyed = of_first.contains(&command) || of_second.contains(&command);
                        let is_word = [KeypadCommand::Help, KeypadCommand::AskEnd].contains(&command);
                        assert!(keyed || is_word, "{keys} without key {lost}: {command:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_pair_must_be_keyed_in_time() {
        let (mut keypad, start) = (Keypad::default(), Instant::now());
        assert_eq!(keypad.press('*', start), None);
        assert_eq!(keypad.press('6', start + KEY_GAP + Duration::from_millis(1)), None);
        assert_eq!(keypad.press('*', start), None);
        assert_eq!(keypad.press('6', start + KEY_GAP), Some(KeypadCommand::ToggleMute));
    }

    #[test]
    fn the_question_is_not_answered_late_or_after_another_key() {
        let (mut keypad, start) = (Keypad::default(), Instant::now());
        for key in ['#', '#'] {
            keypad.press(key, start);
        }
        assert_eq!(keypad.press('1', start + CONFIRM_WITHIN + Duration::from_millis(1)), None);
        assert_eq!(press("##21"), [KeypadCommand::AskEnd]);
        assert_eq!(press("###1"), [KeypadCommand::AskEnd]);
    }

    // trap: prefix PIN. What ends by itself is as long as everything else, and no pair is an answer's end.
    #[test]
    fn no_command_begins_another() {
        let codes: Vec<&str> = COMMANDS.iter().map(|(keys, _)| *keys).collect();
        for one in &codes {
            for other in codes.iter().filter(|other| *other != one) {
                assert!(!other.starts_with(one), "{one} begins {other}");
            }
            // Whoever answers a question by digits can't key a command by it.
            assert!(!one.starts_with(|key: char| key.is_ascii_digit()), "{one}");
        }
    }

    #[test]
    fn stray_keys_do_nothing() {
        assert_eq!(press("1234567890"), []);
        assert_eq!(press("*4"), []);
        assert_eq!(press("*46"), []);
        assert_eq!(press("*x6"), []);
        assert_eq!(press("5*#*6"), [KeypadCommand::ToggleMute]);
    }

    #[test]
    fn other_keys_can_be_set_but_not_dangerous_ones() {
        let map = |text: &str| toml::from_str::<KeyMap>(text).map_err(|error| error.message().to_owned());
        let (mut keypad, now) = (Keypad::new(map("mute = \"#4\"").unwrap()), Instant::now());
        assert_eq!(keypad.press('#', now), None);
        assert_eq!(keypad.press('4', now), Some(KeypadCommand::ToggleMute));
        assert_eq!(map("mute = \"66\""), Err("\"66\" does not begin with * or #".to_owned()));
        assert_eq!(map("mute = \"*9\""), Err("\"*9\" means two things".to_owned()));
        assert_eq!(map("mute = \"*\""), Err("\"*\" is not two keys of a telephone".to_owned()));
        assert_eq!(map("mute = \"*a\""), Err("\"*a\" is not two keys of a telephone".to_owned()));
        assert!(map("mutte = \"*6\"").unwrap_err().contains("unknown field"));
    }
}
