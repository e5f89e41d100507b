//! A live meeting's whiteboard (C20): the drawings in their order, as clients send them. What they mean (updates of Yjs,
//! a CRDT) clients alone know: merged in any order they give the same picture, so that nothing is decided here. Clients
//! also put one drawing in the place of many.

use std::collections::VecDeque;

use model::{MeetingId, Refusal};
use store::Store;

/// All drawings together, in characters of base64: a wall full of handwriting. A whiteboard that holds more takes nothing
/// new until something is erased and the rest is written anew.
const CHARS_MAX: usize = 4 << 20;

/// Drawings of which it is time to make one: who comes late fetches them all. Fewer would have clients write the whole
/// anew all the time.
const LONG: usize = 400;

/// Drawings after a request to make one of many until the next one: who was asked may have gone.
const ASK_AGAIN: u64 = 100;

/// What is drawn, and what of it is not in the database yet.
#[derive(Debug, Default)]
pub(crate) struct Whiteboard {
    drawings: VecDeque<(u64, String)>,
    chars: usize,
    last: u64,
    asked_at: u64,
    unsaved: Unsaved,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    /// All up to this number are no more.
    replaced: u64,
    drawings: Vec<(u64, String)>,
}

/// All of it, for who comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawings {
    /// The oldest first.
    pub drawings: Vec<String>,
    /// The newest one's number; 0 where there is none.
    pub last: u64,
}

impl Whiteboard {
    pub(crate) fn new(saved: Vec<(u64, String)>) -> Self {
        let last = saved.last().map_or(0, |(number, _)| *number);
        let chars = saved.iter().map(|(_, drawing)| drawing.len()).sum();
        Self { drawings: saved.into(), chars, last, ..Self::default() }
    }

    pub(crate) fn has_room_for(&self, drawing: &str) -> bool {
        self.chars + drawing.len() <= CHARS_MAX
    }

    /// Gives its number.
    pub(crate) fn draw(&mut self, drawing: String) -> u64 {
        self.last += 1;
        self.chars += drawing.len();
        self.unsaved.drawings.push((self.last, drawing.clone()));
        self.drawings.push_back((self.last, drawing));
        self.last
    }

    /// Whether who has just drawn is to be asked to make one of all.
    pub(crate) fn is_long(&mut self) -> bool {
        let is_long = self.drawings.len() > LONG || self.chars > CHARS_MAX / 2;
        let is_due = self.asked_at == 0 || self.last >= self.asked_at + ASK_AGAIN;
        if is_long && is_due {
            self.asked_at = self.last;
        }
        is_long && is_due
    }

    /// One in the place of all up to this number.
    pub(crate) fn replace(&mut self, upto: u64, drawing: String) -> Result<(), Refusal> {
        let replaced = self.drawings.iter().take_while(|(number, _)| *number <= upto);
        let (count, chars) = replaced.fold((0, 0), |(count, chars), (_, old)| (count + 1, chars + old.len()));
        // It must be about what is there: somebody else may have been faster.
        if upto == 0 || upto > self.last || count == 0 {
            return Err(Refusal::NotShown);
        }
        if self.chars - chars + drawing.len() > CHARS_MAX {
            return Err(Refusal::WhiteboardFull);
        }
        self.drawings.drain(..count);
        self.chars = self.chars - chars + drawing.len();
        self.unsaved.drawings.retain(|(number, _)| *number > upto);
        self.unsaved.drawings.insert(0, (upto, drawing.clone()));
        self.unsaved.replaced = self.unsaved.replaced.max(upto);
        self.drawings.push_front((upto, drawing));
        self.asked_at = 0;
        Ok(())
    }

    pub(crate) fn all(&self) -> Drawings {
        Drawings { drawings: self.drawings.iter().map(|(_, drawing)| drawing.clone()).collect(), last: self.last }
    }

    /// What is to be written now, if anything.
    pub(crate) fn take_unsaved(&mut self) -> Option<Unsaved> {
        (!self.unsaved.drawings.is_empty()).then(|| std::mem::take(&mut self.unsaved))
    }
}

impl Unsaved {
    pub(crate) async fn save(self, store: &Store, meeting: MeetingId) {
        if let Err(error) = store.add_drawings(meeting, self.replaced, &self.drawings).await {
            tracing::error!(%error, drawings = self.drawings.len(), "a whiteboard can't be saved");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(texts: &[&str]) -> Whiteboard {
        let mut whiteboard = Whiteboard::default();
        for text in texts {
            whiteboard.draw((*text).to_owned());
        }
        whiteboard
    }

    // product: C20
    #[test]
    fn one_drawing_takes_the_place_of_many_and_what_came_meanwhile_stays() {
        let mut whiteboard = drawn(&["a", "b", "c"]);
        assert_eq!(whiteboard.replace(4, "abcd".to_owned()), Err(Refusal::NotShown), "of the future");
        whiteboard.replace(2, "ab".to_owned()).unwrap();
        assert_eq!(whiteboard.all(), Drawings { drawings: vec!["ab".to_owned(), "c".to_owned()], last: 3 });
        assert_eq!(whiteboard.replace(1, "a".to_owned()), Err(Refusal::NotShown), "somebody was faster");
        let unsaved = whiteboard.take_unsaved().unwrap();
        assert_eq!(unsaved.drawings, [(2, "ab".to_owned()), (3, "c".to_owned())]);
        assert_eq!(unsaved.replaced, 2);
        assert!(whiteboard.take_unsaved().is_none());
    }

    #[test]
    fn a_full_one_takes_nothing_until_it_is_written_anew() {
        let mut whiteboard = Whiteboard::default();
        let piece = "A".repeat(32 << 10);
        let mut asked = 0;
        while whiteboard.has_room_for(&piece) {
            whiteboard.draw(piece.clone());
            asked += u32::from(whiteboard.is_long());
        }
        assert_eq!(whiteboard.drawings.len(), 128);
        assert_eq!(asked, 1, "who draws is asked once to make one of many");
        whiteboard.replace(whiteboard.last, piece).unwrap();
        assert!(whiteboard.has_room_for("A"));
    }
}
