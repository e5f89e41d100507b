//! Seats by their keys, in a plain list: every tick walks over all of them.

/// One seat of one mixer. The key of a seat that was removed is never a later one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeatKey {
    generation: u32,
    index: u32,
}

/// Something for each seat of one mixer: as quick to find and to walk through as a list.
#[derive(Debug)]
pub struct SeatMap<T> {
    places: Vec<(u32, Option<T>)>,
    held: usize,
}

impl<T> Default for SeatMap<T> {
    fn default() -> Self {
        Self { places: Vec::new(), held: 0 }
    }
}

impl<T> SeatMap<T> {
    /// A place of its own for a new seat, the lowest that is free.
    pub(crate) fn add(&mut self, value: T) -> SeatKey {
        self.held += 1;
        let free = (self.held <= self.places.len()).then(|| self.places.iter().position(|(_, held)| held.is_none()));
        let index = free.flatten().unwrap_or_else(|| {
            self.places.push((0, None));
            self.places.len() - 1
        });
        let (generation, place) = &mut self.places[index];
        *generation = generation.wrapping_add(1);
        *place = Some(value);
        SeatKey { generation: *generation, index: index as u32 }
    }

    /// Puts something at the key of a seat of that mixer, in the place of what was there.
    pub fn insert(&mut self, key: SeatKey, value: T) {
        let index = key.index as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, || (0, None));
        }
        self.held += usize::from(self.places[index].1.is_none());
        self.places[index] = (key.generation, Some(value));
    }

    /// What is at a key.
    #[must_use]
    pub fn get(&self, key: SeatKey) -> Option<&T> {
        let (generation, held) = self.places.get(key.index as usize)?;
        held.as_ref().filter(|_| *generation == key.generation)
    }

    /// What is at a key, to be changed.
    pub fn get_mut(&mut self, key: SeatKey) -> Option<&mut T> {
        let (generation, held) = self.places.get_mut(key.index as usize)?;
        held.as_mut().filter(|_| *generation == key.generation)
    }

    /// Takes away what is at a key.
    pub fn remove(&mut self, key: SeatKey) -> Option<T> {
        let (generation, held) = self.places.get_mut(key.index as usize)?;
        let value = held.take_if(|_| *generation == key.generation)?;
        self.held -= 1;
        Some(value)
    }

    /// All of them, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (SeatKey, &T)> {
        self.places.iter().enumerate().filter_map(|(index, (generation, held))| {
            Some((SeatKey { generation: *generation, index: index as u32 }, held.as_ref()?))
        })
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SeatKey, &mut T)> {
        self.places.iter_mut().enumerate().filter_map(|(index, (generation, held))| {
            Some((SeatKey { generation: *generation, index: index as u32 }, held.as_mut()?))
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }
}

#[cfg(test)]
impl SeatKey {
    pub(crate) const fn at(index: u32) -> Self {
        Self { generation: 1, index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_seats_key_finds_nothing_of_the_next() {
        let mut map = SeatMap::default();
        let (first, second) = (map.add("first"), map.add("second"));
        assert_eq!(map.remove(first), Some("first"));
        let third = map.add("third");
        assert_eq!(map.get(first), None);
        assert_eq!(map.remove(first), None);
        assert_eq!(
            map.iter().map(|(key, word)| (key, *word)).collect::<Vec<_>>(),
            [(third, "third"), (second, "second")]
        );
        assert_eq!(map.len(), 2);
    }
}
